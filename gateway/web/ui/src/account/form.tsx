// A form that is sent once at a time, says why it was not taken, and keeps what was typed.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Refused } from "../session";
import { t } from "../words";

export function Form({ title, submit, send, children }: { title: string; submit: string; send: (fields: Record<string, string>) => Promise<void>; children: ComponentChildren }) {
  const [why, tell] = useState("");
  const [isSent, wait] = useState(false);
  const form = useRef<HTMLFormElement>(null);

  function taken(event: Event): void {
    event.preventDefault();
    if (isSent || !form.current) return;
    const fields = Object.fromEntries([...new FormData(form.current)].map(([name, value]) => [name, String(value)]));
    wait(true);
    tell("");
    send(fields)
      .then(() => form.current?.reset(), (reason: Error) => tell(reason instanceof Refused ? reason.message : t("page.failed", { reason: reason.message })))
      .finally(() => wait(false));
  }

  return (
    <form ref={form} class="fields" onSubmit={taken} aria-label={title}>
      {children}
      <p class="why-not" role="alert">{why}</p>
      <button type="submit" class="do" disabled={isSent}>{submit}</button>
    </form>
  );
}

export function Field({ label, name, type = "text", complete, note, isFirst }: { label: string; name: string; type?: string; complete?: string; note?: string; isFirst?: boolean }) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (isFirst) input.current?.focus();
  }, []);
  return (
    <label>
      <span>{label}</span>
      <input ref={input} name={name} type={type} autocomplete={complete ?? "off"} autocapitalize="off" spellcheck={false} required aria-describedby={note ? `note-${name}` : undefined} />
      {note && <small id={`note-${name}`} class="note">{note}</small>}
    </label>
  );
}
