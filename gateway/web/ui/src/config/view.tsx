// The plant file on the page: what runs, a draft, what is wrong with it, what would restart; every version.
import { useEffect, useRef, useState } from "preact/hooks";
import type { ConfigApplied, ConfigChange, ConfigLooked, ConfigNow } from "../api";
import { useAnswer } from "../energy/data";
import { watch } from "../feed";
import { moment } from "../format";
import { useValue } from "../observable";
import { Card, Failed, Loading } from "../parts";
import { route } from "../route";
import { change, may, Refused } from "../session";
import { t, type Key } from "../words";
import { Diff } from "./diff";
import { Problems } from "./problems";
import { hold, unsaved } from "./unsaved";
import { Versions } from "./versions";
import "./config.css";

const PARTS = ["file", "versions"] as const;

export default function ConfigView() {
  const at = useValue(route);
  useEffect(() => watch([], false), []);
  const part = PARTS.find((each) => each === at.rest) ?? "file";
  if (!may("config")) return <div class="config"><h1>{t("nav.config")}</h1><p class="empty">{t("config.not_yours")}</p></div>;
  return (
    <div class="config">
      <h1>{t("nav.config")}</h1>
      <nav class="choices" aria-label={t("nav.config")}>
        {PARTS.map((each) => <a key={each} href={`#/config/${each}`} aria-current={each === part ? "page" : undefined}>{t(`config.${each}`)}</a>)}
      </nav>
      {part === "file" ? <PlantFile /> : <Versions />}
    </div>
  );
}

function PlantFile() {
  const { answer, error, again } = useAnswer<ConfigNow>("config", {});
  const [said, say] = useState("");
  if (error) return <Failed reason={error} retry={again} />;
  if (!answer) return <Loading />;
  return <Editor key={`${answer.base} ${answer.draft?.time ?? 0}`} now={answer} again={again} said={said} say={say} />;
}

/** Another file or draft is another editor; what was said of the one before is said above it. */
function Editor({ now, again, said, say }: { now: ConfigNow; again: () => void; said: string; say: (what: string) => void }) {
  const [draft, see] = useState(now.draft);
  const [kept, mark] = useState(draft?.text ?? now.text);
  const [text, write] = useState(unsaved()?.text ?? kept);
  const [looked, show] = useState<ConfigLooked | null>(null);
  const [note, explain] = useState("");
  const [why, tell] = useState("");
  const [isBusy, wait] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);
  const base = unsaved()?.base ?? draft?.base ?? now.base;
  const isUnsaved = text !== kept;
  useEffect(() => hold(isUnsaved ? { text, base } : null), [text, isUnsaved, base]);

  function act(doing: () => Promise<void>): void {
    if (isBusy) return;
    wait(true);
    say("");
    tell("");
    doing()
      .catch((reason: Error) => tell(reason instanceof Refused ? reason.message : t("page.failed", { reason: reason.message })))
      .finally(() => wait(false));
  }
  const look = async (): Promise<void> => show(await change<ConfigLooked>("POST", "config/check", { text }));
  const keep = async (): Promise<void> => {
    see((await change<ConfigNow>("POST", "config/draft", { text, base, over: draft?.time ?? null })).draft);
    mark(text);
    say(t("config.kept"));
  };
  const apply = async (): Promise<void> => {
    const done = await change<ConfigApplied>("POST", "config/apply", { text, base, note }).catch((reason: Error) => {
      // What was well when it was looked at is not any more: a secret's file is gone, a template was changed.
      if (looked && reason instanceof Refused && reason.problems.length) show({ ...looked, problems: reason.problems, can_apply: false });
      throw reason;
    });
    show(null);
    mark(text);
    hold(null);
    again();
    say(done.version === null ? t("config.same") : t("config.applied", { version: done.version }));
  };
  const drop = async (): Promise<void> => {
    await change("DELETE", "config/draft");
    see(null);
    write(now.text);
    mark(now.text);
    again();
  };

  function go(line: number, column: number): void {
    const area = field.current;
    if (!area) return;
    const before = text.split("\n").slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0) + column - 1;
    area.focus();
    area.setSelectionRange(before, before);
    area.scrollTop = Math.max(0, (line - 6) * 20);
  }

  return (
    <div class="config-columns">
      <Card title={now.name} note={now.version === null ? undefined : t("config.runs", { version: now.version })}>
        {!now.is_running && <p class="notice" role="status">{t("config.by_hand")}</p>}
        {draft && <p class="notice" role="status">{t("config.drafted", { who: draft.who, time: moment(draft.time) })}</p>}
        <textarea ref={field} class="plant" spellcheck={false} wrap="off" aria-label={now.name} value={text} onInput={(event) => { write(event.currentTarget.value); show(null); say(""); }} />
        <div class="tools inside">
          <button type="button" disabled={isBusy} onClick={() => act(look)}>{t("config.check")}</button>
          <button type="button" disabled={isBusy || text === now.text} onClick={() => act(keep)}>{t("config.keep")}</button>
          {draft && <button type="button" disabled={isBusy} onClick={() => act(drop)}>{t("config.drop")}</button>}
        </div>
        <p class="why-not" role="alert">{why}</p>
        <p class="said-here" role="status">{said || (isUnsaved && t("config.unsaved"))}</p>
      </Card>
      {looked && (
        <Card title={t("config.would")}>
          <Problems of={looked.problems} go={go} />
          {looked.needs_restart.length > 0 && <p class="notice" role="alert">{t("config.needs_restart", { what: looked.needs_restart.join(", ") })}</p>}
          {looked.can_apply && <Effects changes={looked.changes} isSame={looked.diff === ""} />}
          <Diff text={looked.diff} />
          {looked.can_apply && (looked.diff !== "" || !now.is_running) && (
            <div class="tools inside">
              <label>{t("config.note")} <input value={note} maxLength={400} onInput={(event) => explain(event.currentTarget.value)} /></label>
              <button type="button" class="do" disabled={isBusy} onClick={() => act(apply)}>{consequence(looked.changes)}</button>
            </div>
          )}
        </Card>
      )}
    </div>
  );
}

/** What the button does, by its name. */
function consequence(changes: ConfigChange[]): string {
  const restarts = new Map<Key, number>();
  for (const { part, how, devices } of changes) {
    if (how !== "changed" || part === "words") continue;
    const key: Key = part === "source" && devices.length ? "config.does.devices" : `config.does.${part}`;
    restarts.set(key, (restarts.get(key) ?? 0) + Math.max(1, devices.length));
  }
  const gone = changes.filter((each) => each.how === "removed").map((each) => t(`config.part.${each.part}`, { name: each.name }));
  const said = [...restarts].map(([key, count]) => t(key, { count }));
  if (gone.length) said.push(t("config.does.stops", { what: gone.join(", ") }));
  return said.length ? t("config.apply_doing", { what: said.join(t("figure.semicolon")) }) : t("config.apply");
}

function Effects({ changes, isSame }: { changes: ConfigChange[]; isSame: boolean }) {
  if (!changes.length) return <p class="said-here">{t(isSame ? "config.same" : "config.only_words")}</p>;
  return (
    <ul class="effects" aria-label={t("config.effects")}>
      {changes.map((each) => (
        <li key={`${each.part} ${each.name}`}>
          {t(each.devices.length ? "config.devices" : `config.how.${each.how}`, { what: t(`config.part.${each.part}`, { name: each.name }), devices: each.devices.join(", ") })}
        </li>
      ))}
    </ul>
  );
}
