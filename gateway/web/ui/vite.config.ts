import { defineConfig } from "vite";

// Chrome 109 is the last on Windows 7 and 8, which still stand on shop floors.
export default defineConfig({
  base: "./",
  build: {
    target: "chrome109",
    cssTarget: "chrome109",
    outDir: "../static",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
