// What the gateway keeps for itself has a name of its own in every view of the books.
import { t } from "../words";

const OWN = { "gateway/history": "delivery.role.history", "gateway/energy": "delivery.role.energy" } as const;

export const nameOf = (sink: string): string => (sink in OWN ? t(OWN[sink as keyof typeof OWN]) : sink);
