// What was dropped, folders walked; of a folder only what may be a picture or a video.
const MEDIA = /\.(jpe?g|png|webp|avif|hei[cf]|tiff?|gif|bmp|mp4|m4v|mov|mkv|webm|avi)$/i;

// [files, how many were left out]
export async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [[...transfer.files], 0];
  const loose = entries.filter((entry) => entry.isFile);
  const found = [];
  for (const entry of entries.filter((one) => one.isDirectory)) await walk(entry, found);
  const [media, leftOut] = onlyMedia(found);
  return [[...await Promise.all(loose.map(fileOf)), ...media], leftOut];
}

export function onlyMedia(files) {
  const media = files.filter((file) => !file.name.startsWith(".") && (MEDIA.test(file.name) || /^(image|video)\//.test(file.type)));
  return [media, files.length - media.length];
}

const fileOf = (entry) => new Promise((resolve, reject) => entry.file(resolve, reject));

async function walk(folder, found) {
  const reader = folder.createReader();
  for (;;) {
    // A reader gives a hundred entries at a time, and none at the end.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const entry of some) {
      if (entry.isDirectory) await walk(entry, found);
      // A dropped folder does not tell its files where they lay.
      else found.push(Object.assign(await fileOf(entry), { path: entry.fullPath.slice(1) }));
    }
  }
}
