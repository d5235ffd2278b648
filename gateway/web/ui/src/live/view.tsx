// Every tag: what it says, how old it is, whether to believe it. Rows are fetched and drawn only where one looks.
import { useEffect, useRef, useState } from "preact/hooks";
import { figure } from "../format";
import { useValue } from "../observable";
import { Failed, Loading } from "../parts";
import { liveOf, route, settle } from "../route";
import { t, type Key } from "../words";
import { useTags } from "./pages";
import { Table } from "./table";

const CHOICES = ["all", "bad", "uncertain", "good", "waiting"] as const;
/** ms after which the letters typed so far are searched. */
const SETTLED = 120;

export default function Live() {
  const at = useValue(route);
  const words = at.query.get("q") ?? "";
  const which = at.query.get("which") ?? "all";
  const found = useTags(words, which);
  return (
    <div class="live">
      <h1 class="hidden">{t("nav.live")}</h1>
      <div class="tools">
        <Search words={words} />
        <div class="choices" role="group" aria-label={t("live.which")}>
          {CHOICES.map((each) => (
            <a key={each} href={liveOf(words, each)} aria-current={each === which ? "true" : undefined}>{t(`which.${each}` as Key)}</a>
          ))}
        </div>
        <span class="note" role="status">{found.total === null ? "" : t("live.count", { n: figure(found.total) })}</span>
      </div>
      {found.error && <Failed reason={found.error} retry={found.again} />}
      {found.total === null && !found.error && <Loading />}
      {found.total === 0 && <p class="empty">{words || which !== "all" ? t("live.nothing") : t("live.empty")}</p>}
      {found.total !== null && found.total > 0 && <Table total={found.total} found={found} question={`${which} ${words}`} />}
    </div>
  );
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
      settle(liveOf(typed, route.get().query.get("which") ?? "all"));
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
