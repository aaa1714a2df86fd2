/** The drawings beside the words: paths of 24 by 24, stroked. Names as in `verifier/words.py`. */

const PATHS = Object.freeze({
  check: "M4 12.5 9.5 18 20 6.5",
  cross: "M5.5 5.5l13 13M18.5 5.5l-13 13",
  question: "M8.5 9a3.5 3.5 0 1 1 5 3.2c-1 .5-1.5 1.2-1.5 2.3M12 18.4v.1",
  update: "M12 20V5M6 11l6-6 6 6",
  key: "M14 10a4 4 0 1 0-3.2 3.9L13 16h2v2h2v2h3v-3l-6.1-6.1A4 4 0 0 0 14 10ZM9 9.4v.1",
  sync: "M4.5 12a7.5 7.5 0 0 1 12.8-5.3L20 9M20 4v5h-5M19.5 12a7.5 7.5 0 0 1-12.8 5.3L4 15M4 20v-5h5",
  calendar: "M5 6h14v14H5zM5 10h14M8 3.5V8M16 3.5V8M9.5 13.5l5 4M14.5 13.5l-5 4",
  expand: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5M8 8h8v8H8z",
  clock: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17ZM12 7.5V12l3.5 2.5",
  hourglass: "M7 3.5h10M7 20.5h10M8 3.5v4l4 4.5-4 4.5v4M16 3.5v4L12 12l4 4.5v4",
  digits: "M6 6h.01M12 6h.01M18 6h.01M6 12h.01M12 12h.01M18 12h.01M6 18h.01M12 18h.01M18 18h.01",
  ban: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17ZM6 6l12 12",
  pause: "M8.5 5v14M15.5 5v14",
  swap: "M4 8.5h14M14.5 5 18 8.5 14.5 12M20 15.5H6M9.5 12 6 15.5 9.5 19",
  repeat: "M12 3.5a8.5 8.5 0 1 0 8.5 8.5M20.5 4v5h-5M12 8v4.5l3 2",
  gate: "M4 20V6l6-2v16M10 6h10v14H10M7.5 12v.1M3 20h18",
  disk: "M5 4h11l3 3v13H5zM8 4v5h7V4M8 20v-6h8v6",
  camera: "M3.5 8h4l1.5-2.5h6L16.5 8h4v11h-17zM12 10a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7Z",
  warning: "M12 4 2.5 20h19zM12 10v4.5M12 17.3v.1",
  torch: "M8 3.5h8l-1.5 6v11h-5v-11zM8.6 6.5h6.8M12 12v2",
  list: "M8 6h12M8 12h12M8 18h12M4 6h.1M4 12h.1M4 18h.1",
  menu: "M4 6.5h16M4 12h16M4 17.5h16",
  sound: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a7.8 7.8 0 0 1 0 11",
  keyboard: "M3 6.5h18v11H3zM6.5 10h.1M10 10h.1M13.5 10h.1M17 10h.1M8 14h8",
});

export const iconPath = (name) => PATHS[name] ?? PATHS.question;
