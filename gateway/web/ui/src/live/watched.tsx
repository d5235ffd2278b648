// The watch lists above the table: choose one, name it, pass it on.
import { useEffect, useState } from "preact/hooks";
import { useValue } from "../observable";
import { liveOf, settle } from "../route";
import { t } from "../words";
import { forget, isKept, lists, MOST_LISTS, make, remove, rename, starInto, type List } from "./lists";

interface Given {
  /** What is shown; null is every tag. */
  list: List | null;
  /** Tags of it the plant file no longer has. */
  gone: string[];
  words: string;
  which: string;
}

export function Watched({ list, gone, words, which }: Given) {
  const known = useValue(lists);
  const [naming, name] = useState<"" | "new" | "rename">("");
  const [said, say] = useState("");
  const kept = list !== null && isKept(list);
  const hasRoom = known.length < MOST_LISTS;
  useEffect(() => {
    name("");
    say("");
    if (list && kept) starInto(list.name);
  }, [list?.name, kept]);

  function named(as: string): void {
    const made = naming === "rename" && list ? rename(list.name, as) : make(as, []);
    name("");
    settle(liveOf(words, which, made));
  }

  function pass(whole: List): void {
    const address = liveOf("", "all", whole.name, whole.tags);
    const copied = navigator.clipboard?.writeText(new URL(address, location.href).href);
    // A page that is not reached securely may not reach the clipboard: then the address itself is the link.
    (copied ?? Promise.reject(new Error())).then(() => say(t("watch.copied")), () => {
      settle(address);
      say(t("watch.in_address"));
    });
  }

  return (
    <div class="tools watched">
      <nav class="choices" aria-label={t("watch.lists")}>
        <a href={liveOf(words, which)} aria-current={list ? undefined : "page"}>{t("watch.all")}</a>
        {known.map((each) => (
          <a key={each.name} href={liveOf(words, which, each.name)} aria-current={each.name === list?.name ? "page" : undefined}>★ {each.name} <span class="count">{each.tags.length}</span></a>
        ))}
      </nav>
      {naming ? (
        <Naming first={naming === "rename" ? (list?.name ?? "") : ""} done={named} leave={() => name("")} />
      ) : (
        <>
          {hasRoom && <button type="button" onClick={() => name("new")}>{t("watch.new")}</button>}
          {list && kept && (
            <>
              <button type="button" onClick={() => name("rename")}>{t("watch.rename")}</button>
              <button type="button" onClick={() => pass(list)}>{t("watch.copy")}</button>
              {/* What is deleted stays in the address, so it can be kept after all. */}
              <button type="button" onClick={() => { settle(liveOf(words, which, list.name, list.tags)); remove(list.name); }}>{t("watch.delete")}</button>
            </>
          )}
        </>
      )}
      <span class="note" role="status">{said}</span>
      {list && !kept && list.tags.length > 0 && (
        <p class="notice">{t("watch.unkept", { list: list.name })} {hasRoom && <button type="button" onClick={() => settle(liveOf(words, which, make(list.name, list.tags)))}>{t("watch.keep")}</button>}</p>
      )}
      {list && gone.length > 0 && (
        <p class="notice">{t("watch.gone", { n: gone.length, tags: gone.join(", ") })} {kept && <button type="button" onClick={() => forget(list.name, gone)}>{t("watch.forget")}</button>}</p>
      )}
    </div>
  );
}

function Naming({ first, done, leave }: { first: string; done: (name: string) => void; leave: () => void }) {
  const [name, type] = useState(first);
  return (
    <form
      class="naming"
      onSubmit={(event) => {
        event.preventDefault();
        if (name.trim()) done(name);
      }}
      onKeyDown={(event) => event.key === "Escape" && leave()}
    >
      <input type="text" value={name} maxLength={40} aria-label={t("watch.name")} placeholder={t("watch.name")} ref={(box) => box?.focus()} onInput={(event) => type(event.currentTarget.value)} />
      <button type="submit">{t("watch.save")}</button>
    </form>
  );
}
