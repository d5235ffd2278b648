// Written by `make docs` from the interface's OpenAPI. Change gateway/web/models.py, not this.

export interface Attention {
  code: "gateway_silent" | "store" | "store_full" | "lost" | "link_person" | "link_down" | "link_crashed" | "sink_late" | "quarantined" | "history_stopped" | "history_late" | "device_silent" | "device_partly";
  urgent: boolean;
  subject: string;
  reason: string;
  reason_zh: string;
  since: number | null;
  count: number;
}

export interface Device {
  path: string;
  source: string;
  state: "good" | "uncertain" | "partly" | "bad" | "waiting" | "link";
  arrived: number | null;
  tags: number;
  bad: number;
  uncertain: number;
}

export interface Fact {
  name: string;
  value: string | number;
  unit: "" | "ms" | "s" | "bytes" | "at";
}

export interface Link {
  name: string;
  role: "source" | "sink" | "thinner" | "history";
  kind: string;
  peer: string;
  state: "connecting" | "connected" | "waiting" | "needs_a_person" | "stopped";
  since: number | null;
  error: string;
  error_zh: string;
  rows: number;
  lag_s: number;
  buffered: number;
  dropped: number;
  quarantined: number;
  bytes: number;
}

export interface Mistake {
  detail: string;
}

export interface Overview {
  strip: Strip;
  links: Link[];
  attention: Attention[];
  devices: Device[];
}

export interface Step {
  step: "link" | "session" | "request" | "decode" | "rule" | "buffer" | "sink" | "history";
  name: string;
  state: "good" | "warning" | "bad" | "blocked" | "unknown" | "off";
  good_at: number | null;
  error: string;
  error_zh: string;
  error_at: number | null;
  clean: boolean;
  facts: Fact[];
}

export interface Strip {
  gateway: string;
  site: string;
  zone: string;
  now: number;
  started: number;
  answers: boolean;
  sources_up: number;
  sources: number;
  sinks_up: number;
  sinks: number;
  lost: number;
  buffered: number;
  oldest_s: number;
  quarantined: number;
  rows_per_s: number | null;
  store_bytes: number;
  max_bytes: number;
  good: number;
  uncertain: number;
  bad: number;
  waiting: number;
}

export interface TagPage {
  total: number;
  offset: number;
  rows: TagRow[];
}

export interface TagRow {
  number: number;
  path: string;
  unit: string;
  kind: string;
  counter: boolean;
  source: string;
  value: boolean | number | string | null;
  quality: number | null;
  quality_name: string;
  time: number | null;
  arrived: number | null;
}

export interface TrendLine {
  number: number;
  path: string;
  unit: string;
  kind: string;
  counter: boolean;
  form: "line" | "step" | "switch" | "words";
  width: number;
  time: number[];
  value: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
  text: (string | null)[];
  good: number[];
  bad: number[];
  quality: number[];
}

export interface Trends {
  start: number;
  end: number;
  lines: TrendLine[];
  unknown: string[];
}

export interface Why {
  tag: TagRow;
  steps: Step[];
  cause: number | null;
  action: string;
}
