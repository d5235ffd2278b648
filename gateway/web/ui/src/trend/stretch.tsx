// From one moment to another, in plant time.
import { useState } from "preact/hooks";
import { t } from "../words";
import { fromField, inField } from "../zone";

export function Stretch({ from, to, isChosen, look }: { from: number; to: number; isChosen: boolean; look: (from: number, to: number) => void }) {
  const [open, setOpen] = useState(false);
  // What is typed stays typed while the chart goes on behind it.
  const [typed, type] = useState<[string, string]>(["", ""]);
  const [start, end] = typed.map(fromField) as [number, number];
  const isRight = start < end;
  return (
    <details
      class={`stretch ${isChosen ? "chosen" : ""}`}
      open={open}
      onToggle={(event) => {
        if (event.currentTarget.open && !open) type([inField(from), inField(to)]);
        setOpen(event.currentTarget.open);
      }}
    >
      <summary>{t("trend.free")}</summary>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!isRight) return;
          look(start, end);
          setOpen(false);
        }}
      >
        {(["from", "to"] as const).map((each, i) => (
          <label key={each}>
            {t(`trend.${each}`)}
            <input
              type="datetime-local"
              step={1}
              value={typed[i]}
              onInput={(event) => {
                const { value } = event.currentTarget;
                type(([first, last]) => (i ? [first, value] : [value, last]));
              }}
            />
          </label>
        ))}
        {!isRight && <p class="reason">{t("trend.order")}</p>}
        <button type="submit" disabled={!isRight}>{t("trend.show")}</button>
      </form>
    </details>
  );
}
