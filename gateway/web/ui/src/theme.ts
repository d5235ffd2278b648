// Light or dark: the system's choice until a person makes one.
import { observable } from "./observable";

export type Theme = "system" | "light" | "dark";
const ORDER: Theme[] = ["system", "light", "dark"];
const kept = localStorage.getItem("theme") as Theme | null;
export const theme = observable<Theme>(kept && ORDER.includes(kept) ? kept : "system");

function show(): void {
  document.documentElement.dataset.theme = theme.get();
}

export function nextTheme(): void {
  const next = ORDER[(ORDER.indexOf(theme.get()) + 1) % ORDER.length] as Theme;
  localStorage.setItem("theme", next);
  theme.set(next);
}

theme.follow(show);
show();
