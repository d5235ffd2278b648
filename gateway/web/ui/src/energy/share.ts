// How a share is written, and where a figure's evidence is.
export const share = (part: number): string => (part > 0 && part < 0.0005 ? "< 0.1 %" : `${(part * 100).toFixed(part > 0.9995 || part === 0 ? 0 : 1)} %`);
export const evidenceOf = (found: { subject: string; medium: string }, start: number, end: number): string =>
  `api/energy/evidence?${new URLSearchParams({ subject: found.subject, medium: found.medium, start: String(start), end: String(end) })}`;
