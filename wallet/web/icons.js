/** The drawings beside the words: paths of 24 by 24, stroked. */

const PATHS = Object.freeze({
  ticket: "M3.5 7h17v3.2a1.9 1.9 0 0 0 0 3.7V17h-17v-3.1a1.9 1.9 0 0 0 0-3.7zM14.5 7v1.5M14.5 11.2v1.6M14.5 15.5V17",
  warning: "M12 4 2.5 20h19zM12 10v4.5M12 17.3v.1",
  clock: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17ZM12 7.5V12l3.5 2.5",
  close: "M6 6l12 12M18 6 6 18",
  back: "M15 5l-7 7 7 7",
  next: "M9 5l7 7-7 7",
  digits: "M6 6h.01M12 6h.01M18 6h.01M6 12h.01M12 12h.01M18 12h.01M6 18h.01M12 18h.01M18 18h.01",
  expand: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
});

export const iconPath = (name) => PATHS[name];
