// Every tag: what it says, how old it is, whether to believe it. Rows are fetched and drawn only where one looks.
import { useEffect, useRef, useState } from "preact/hooks";
import { connection } from "../feed";
import { figure } from "../format";
import { useValue } from "../observable";
import { Failed, Loading } from "../parts";
import { liveOf, route, settle, type Route } from "../route";
import { t, type Key } from "../words";
import { isKept, lists, listOf, MOST_TAGS, star, starred, type List } from "./lists";
import { useTags } from "./pages";
import { Table } from "./table";
import { Watched } from "./watched";

const CHOICES = ["all", "bad", "uncertain", "good", "waiting"] as const;
/** ms after which the letters typed so far are searched. */
const SETTLED = 120;

export default function Live() {
  const at = useValue(route);
  const words = at.query.get("q") ?? "";
  const which = at.query.get("which") ?? "all";
  useValue(lists);
  const list = listIn(at);
  const found = useTags(words, which, list?.tags);
  const isLost = useValue(connection) === "lost";
  const [isFull, full] = useState(false);
  const isEmpty = list?.tags.length === 0;
  const toggle = (path: string): void => {
    // The address carries the list as it was; from now on it only names it.
    if (list && at.tags.length && isKept(list)) settle(liveOf(words, which, list.name));
    full(!star(path));
  };
  const gone = list && !words && which === "all" ? found.lacks : [];
  return (
    <div class="live">
      <h1>{t("nav.live")}</h1>
      <div class="tools">
        <Search words={words} />
        <div class="choices" role="group" aria-label={t("live.which")}>
          {CHOICES.map((each) => (
            <a key={each} href={liveOf(words, each, list?.name, at.tags)} aria-current={each === which ? "true" : undefined}>{t(`which.${each}` as Key)}</a>
          ))}
        </div>
        <span class="note" role="status">{found.total === null || isEmpty ? "" : t("live.count", { n: figure(found.total) })}</span>
      </div>
      <Watched list={list} gone={gone} words={words} which={which} />
      {isFull && <p class="notice" role="alert">{t("watch.full", { list: starred(), n: MOST_TAGS })}</p>}
      {/* While the page's service is away the banner above says so, and what was known stays. */}
      {found.error && !(isLost && found.total !== null) && <Failed reason={found.error} retry={found.again} />}
      {isEmpty ? <p class="empty">{t("watch.empty")}</p> : (
        <>
          {found.total === null && !found.error && <Loading />}
          {found.total === 0 && <p class="empty">{words || which !== "all" || list ? t("live.nothing") : t("live.empty")}</p>}
          {found.total !== null && found.total > 0 && (
            <Table total={found.total} found={found} question={`${which} ${words} ${list?.name ?? ""}`} star={toggle} />
          )}
        </>
      )}
    </div>
  );
}

/** The list the address names: as it is carried, else as it is kept here. */
function listIn({ query, tags }: Route): List | null {
  const name = query.get("list") ?? "";
  if (!name) return null;
  return { name, tags: tags.length ? tags.slice(0, MOST_TAGS) : (listOf(name)?.tags ?? []) };
}

/** By itself, so that a letter draws nothing but the letter. */
function Search({ words }: { words: string }) {
  const [typed, type] = useState(words);
  // What the address said last: an address that comes from here must not undo what is typed meanwhile.
  const said = useRef(words);
  useEffect(() => {
    if (words === said.current) return;
    said.current = words;
    type(words);
  }, [words]);
  useEffect(() => {
    if (typed === said.current) return;
    const timer = window.setTimeout(() => {
      said.current = typed;
      // The quality may have been chosen while the last letters settled.
      const { query, tags } = route.get();
      settle(liveOf(typed, query.get("which") ?? "all", query.get("list") ?? "", tags));
    }, SETTLED);
    return () => window.clearTimeout(timer);
  }, [typed]);
  return (
    <input
      type="search"
      value={typed}
      placeholder={t("live.search")}
      aria-label={t("live.search")}
      onInput={(event) => type(event.currentTarget.value)}
    />
  );
}
