// What the gateway keeps for itself has a name of its own in every view of the books.
import { t } from "../words";

const OWN = { "gateway/history": "delivery.role.history", "gateway/energy": "delivery.role.energy", "gateway/alarms": "nav.alarms" } as const;

export const nameOf = (link: string): string => (link in OWN ? t(OWN[link as keyof typeof OWN]) : link);

/** Of a line of the books; an earlier release counted without the source. */
export const sourceOf = (source: string): string => (source ? nameOf(source) : t("delivery.unnamed"));
