// Where the page is, in the address behind the hash: bookmarks and the back button work without a server.
import { observable } from "./observable";

export interface Route {
  view: string;
  rest: string;
  query: URLSearchParams;
  /** Paths of tags; each is encoded by itself, since a name may hold a comma. */
  tags: string[];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // cut off on its way, e.g. in a message
  }
}

function read(): Route {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view = "", ...rest] = path.split("/");
  const tags = /(?:^|&)tags=([^&]*)/.exec(query)?.[1] ?? "";
  return {
    view: view || "overview",
    rest: rest.map(decoded).join("/"),
    query: new URLSearchParams(query),
    tags: [...new Set(tags.split(",").filter(Boolean).map(decoded))],
  };
}

export const route = observable(read());
window.addEventListener("hashchange", () => route.set(read()));

/** Change the address without a step the back button would have to undo. */
export function settle(hash: string): void {
  if (location.hash === hash) return;
  history.replaceState(null, "", hash);
  route.set(read());
}

const encoded = (path: string): string => path.split("/").map(encodeURIComponent).join("/");

/** `list` names a watch list; with `tags` the address carries it whole. */
export const liveOf = (words: string, which = "all", list = "", tags: string[] = []): string =>
  `#/live?${new URLSearchParams({ q: words, ...(which === "all" ? {} : { which }), ...(list ? { list } : {}) })}${tags.length ? `&tags=${tags.map(encoded).join(",")}` : ""}`;
export const whyOf = (path: string): string => `#/why/${encoded(path)}`;
/** `stretch` is `span=8h`, or `from=…&to=…` in ms. */
export const trendOf = (paths: string[], stretch = "span=1h"): string =>
  `#/trend?${paths.length ? `tags=${paths.map(encoded).join(",")}&` : ""}${stretch}`;
