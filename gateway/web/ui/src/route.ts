// Where the page is, in the address behind the hash: bookmarks and the back button work without a server.
import { observable } from "./observable";

export interface Route {
  view: string;
  rest: string;
  query: URLSearchParams;
}

function read(): Route {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view = "", ...rest] = path.split("/");
  return { view: view || "overview", rest: rest.map(decodeURIComponent).join("/"), query: new URLSearchParams(query) };
}

export const route = observable(read());
window.addEventListener("hashchange", () => route.set(read()));

export const liveOf = (words: string, which = "all"): string =>
  `#/live?${new URLSearchParams({ q: words, ...(which === "all" ? {} : { which }) })}`;
export const whyOf = (path: string): string => `#/why/${path.split("/").map(encodeURIComponent).join("/")}`;
