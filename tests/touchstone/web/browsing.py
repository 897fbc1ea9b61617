"""Looking at a page as a browser has it."""

from __future__ import annotations

from playwright.sync_api import Page, expect

# A busy machine takes its time; what never comes fails all the same.
PATIENCE_MS = 60_000


def go_to(page: Page, address: str) -> None:
    """Go there and wait until the modules are awake; the policy forbids the driver's wait_for_function."""
    page.goto(address)
    expect(page.locator("html.awake")).to_be_attached()


def faults_of(page: Page) -> list[str]:
    """What the console calls an error, as it grows; a refusal that a test provokes is none."""
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda said: (
            faults.append(said.text)
            if said.type in ("error", "warning") and "Failed to load resource" not in said.text
            else None
        ),
    )
    return faults


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.textContent.trim()"))
