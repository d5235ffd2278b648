// Written by `make docs` from the interface's OpenAPI. Change gateway/web/models.py, not this.

export interface AlarmPage {
  total: number;
  offset: number;
  alarms: AlarmRow[];
}

export interface AlarmRow {
  number: number;
  kind: "limit" | "link" | "store" | "demand" | "balance" | "certificate" | "clock";
  subject: string;
  severity: "warning" | "urgent";
  state: "active" | "acknowledged" | "cleared";
  text: string;
  text_zh: string;
  began: number;
  cleared: number | null;
  acknowledged: number | null;
  who: string;
  note: string;
  shelved_until: number | null;
  shelved_by: string;
}

export interface Attention {
  code: "gateway_silent" | "last_good" | "store" | "store_full" | "certificate" | "certificate_own" | "certificate_peer" | "lost" | "link_person" | "link_down" | "link_crashed" | "sink_late" | "sink_capped" | "quarantined" | "history_stopped" | "history_late" | "device_silent" | "device_partly";
  urgent: boolean;
  subject: string;
  reason: string;
  reason_zh: string;
  since: number | null;
  count: number;
}

export interface AuditEntry {
  number: number;
  at: number;
  who: string;
  address: string;
  what: string;
  about: string;
}

export interface AuditPage {
  entries: AuditEntry[];
  more: boolean;
}

export interface AuditVerdict {
  first: number;
  last: number;
  head: string;
  wrong: number[];
}

export interface BandCost {
  band: "sharp" | "peak" | "flat" | "valley" | "deep_valley" | "undecided";
  kwh: string;
  yuan: string | null;
}

export interface CarbonBatch {
  name: string;
  node: string;
  product: string;
  identifier: string;
  start: number;
  end: number;
  amount: string;
  unit: string;
  figure: CarbonFigure;
  per_unit: string | null;
  upstream: string;
  upstream_source: string;
  share: number | null;
  left_out: string[];
}

export interface CarbonBatches {
  batches: CarbonBatch[];
}

export interface CarbonChanged {
  kind: "coal_equivalent" | "coal_primary" | "co2_direct" | "co2_location" | "co2_market";
  start: number;
  end: number;
  versions: CarbonVersion[];
}

export interface CarbonFigure {
  kind: "coal_equivalent" | "coal_primary" | "co2_direct" | "co2_location" | "co2_market" | "co2e_footprint";
  unit: string;
  value: string | null;
  calibre: string;
  confidence: string;
  measured: number | null;
  estimated: number | null;
  manual: number | null;
  lines: CarbonLine[];
  wanted: Wanted[];
}

export interface CarbonIntensity {
  meter: string;
  node: string;
  output: string;
  output_unit: string;
  kind: string;
  value: string;
  unit: string;
}

export interface CarbonKept {
  kept: number;
  changed: CarbonChanged[];
}

export interface CarbonLine {
  medium: string;
  node: string;
  amount: string;
  unit: string;
  factor: string;
  value: string;
  formula: string;
  rule_en: string;
  rule_zh: string;
  used: FactorUsed[];
}

export interface CarbonReport {
  node: string;
  start: number;
  end: number;
  figures: CarbonFigure[];
  total_location: string | null;
  total_market: string | null;
  days: number;
  known: number[];
  media: string[];
  intensities: CarbonIntensity[];
}

export interface CarbonTerm {
  medium: string;
  old: string[];
  new: string[];
  by_amount: string;
  by_factor: string;
}

export interface CarbonVersion {
  revision: number;
  made: number;
  value: string;
  unit: string;
  rows: string[];
  difference: string;
  terms: CarbonTerm[] | null;
}

export interface Certificates {
  page: PageCertificateTold | null;
  own: OwnCertificate | null;
  servers: ServerCertificate[];
  links: LinkCertificate[];
}

export interface ConfigApplied {
  version: number | null;
  changes: ConfigChange[];
}

export interface ConfigChange {
  part: "source" | "sink" | "derived" | "history" | "energy" | "page" | "words" | "webhook";
  name: string;
  how: "added" | "removed" | "changed";
  devices: string[];
}

export interface ConfigDraft {
  text: string;
  who: string;
  time: number;
  base: string;
}

export interface ConfigLooked {
  problems: ConfigProblem[];
  changes: ConfigChange[];
  needs_restart: string[];
  diff: string;
  can_apply: boolean;
}

export interface ConfigNow {
  name: string;
  text: string;
  base: string;
  version: number | null;
  is_running: boolean;
  draft: ConfigDraft | null;
}

export interface ConfigProblem {
  code: string;
  severity: "error" | "warning";
  line: number;
  column: number;
  path: string;
  zh: string;
  en: string;
}

export interface ConfigRefused {
  detail: string;
  code: string;
  en: string;
  zh: string;
  problems: ConfigProblem[];
}

export interface ConfigText {
  number: number;
  text: string;
  diff: string;
}

export interface ConfigToApply {
  text: string;
  base: string;
  note: string;
}

export interface ConfigToCheck {
  text: string;
}

export interface ConfigToGoBack {
  version: number;
  note: string;
}

export interface ConfigToKeep {
  text: string;
  base: string;
  over: number | null;
}

export interface ConfigVersion {
  number: number;
  time: number;
  who: string;
  note: string;
  state: "applied" | "failed";
}

export interface Counted {
  code: string;
  count: number;
}

export interface Delivery {
  now: number;
  answers: boolean;
  holds: boolean;
  sinks: SinkLedger[];
  south: South[];
  gaps: number;
  gaps_lasting: number;
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

export interface Done {
  number: number;
}

export interface Enabled {
  enabled: boolean;
}

export interface EnergyBand {
  start: number;
  end: number;
  band: "sharp" | "peak" | "flat" | "valley" | "deep_valley" | "undecided";
}

export interface EnergyCharge {
  bill: string;
  item: string;
  quantity: string;
  unit: string;
  price: string | null;
  yuan: string | null;
}

export interface EnergyFigures {
  subject: string;
  medium: string;
  metric: "energy" | "load" | "demand" | "cost" | "coal_equivalent" | "coal_primary" | "co2" | "co2_market";
  interval: "15min" | "60min" | "day" | "week" | "month" | "year" | "shift" | "billing" | "batch";
  unit: string;
  adds: boolean;
  rows: EnergyRow[];
  total: EnergyRow;
  unknown: number;
  made: string[];
  bands: EnergyBand[];
  band_costs: BandCost[];
  charges: EnergyCharge[];
  wanted: Wanted[];
  notes: string[];
  factors: FactorUsed[];
  contract: number | null;
}

export interface EnergyFlow {
  source: string;
  target: string;
  value: string;
  share: number | null;
  alarm: boolean;
  beside: boolean;
}

export interface EnergyFlows {
  unit: string;
  flows: EnergyFlow[];
  over: EnergyFlow[];
  unknown: string[];
  partly: string[];
}

export interface EnergyMedium {
  name: string;
  zh: string;
  en: string;
  unit: string;
}

export interface EnergyMeter {
  name: string;
  title: string;
  medium: string;
  node: string;
  kind: "counter" | "power" | "virtual" | "manual";
  parent: string;
  serial: string;
  accuracy: string;
  contract: number | null;
  verify_by: string;
}

export interface EnergyPlace {
  path: string;
  media: string[];
}

export interface EnergyPlant {
  site: string;
  places: EnergyPlace[];
  meters: EnergyMeter[];
  media: EnergyMedium[];
  shifts: string[];
  billing_day: number;
  is_priced: boolean;
  example: string;
  days: string[];
}

export interface EnergyRow {
  start: number;
  end: number;
  label: string;
  value: string | null;
  at_least: string | null;
  at_most: string | null;
  measured: number;
  estimated: number;
  manual: number;
  completeness: number;
  revision: number;
  flags: string[];
  closed: boolean;
}

export interface EnergyTable {
  names: string[];
  units: string[];
  quantum: string[];
  start: number[];
  end: number[];
  quanta: ((number | null)[])[];
}

export interface Fact {
  name: string;
  value: string | number;
  unit: "" | "ms" | "s" | "bytes" | "at";
}

export interface FactorUsed {
  symbol: string;
  value: string;
  unit: string;
  row: string;
  source: string;
  instrument: string;
  confidence: "high" | "entered" | "medium" | "low";
  note: string;
}

export interface Gap {
  id: number;
  noted: number;
  reason: string;
  start: number | null;
  end: number | null;
  lasts: boolean;
  sources: Counted[];
  devices: string[];
  tags: number;
  sinks: Counted[];
  rows: number;
  batches: number;
  first_seq: number | null;
  last_seq: number | null;
}

export interface GapPage {
  total: number;
  lasting: number;
  offset: number;
  gaps: Gap[];
}

export interface Given {
  password: string;
}

export interface LedgerDay {
  day: string;
  sink: string;
  noted: number;
  holds: boolean;
  line: LedgerLine;
  buffered: number;
  quarantined: number;
}

export interface LedgerDays {
  days: LedgerDay[];
}

export interface LedgerLine {
  source: string;
  acquired: number;
  delivered: number;
  buffered: number;
  not_selected: number;
  quarantined: number;
  dropped: number;
  dropped_by: Counted[];
  again: number;
  holds: boolean;
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

export interface LinkCertificate {
  link: string;
  role: "source" | "sink" | "thinner" | "history";
  peer: string;
  whose: "own" | "peer";
  ends: number;
}

export interface LostPlace {
  detail: string;
  reason: "unknown" | "expired" | "ahead";
  ends: StreamEnds;
}

export interface MessageText {
  form: "json" | "text" | "sparkplug" | "bytes";
  text: string;
}

export interface Mistake {
  detail: string;
  code: string;
  en: string;
  zh: string;
}

export interface NewPassword {
  old: string;
  new: string;
}

export interface NewRole {
  role: "viewer" | "engineer" | "administrator" | "auditor";
}

export interface NewToken {
  name: string;
  scopes: ("read" | "stream" | "config")[];
  days: number;
}

export interface NewUser {
  name: string;
  password: string;
  role: "viewer" | "engineer" | "administrator" | "auditor";
}

export interface Offset {
  ms: number;
  since: number;
  until: number;
}

export interface Overview {
  strip: Strip;
  links: Link[];
  attention: Attention[];
  devices: Device[];
}

export interface OwnCertificate {
  name: string;
  thumbprint: string;
  ends: number;
}

export interface PageCertificateTold {
  fingerprint: string;
  ends: number;
  is_ours: boolean;
}

export interface QuarantineChosen {
  sink: string;
  entries: number[];
}

export interface QuarantineDone {
  rows: number;
}

export interface QuarantineEntries {
  total: number;
  entries: QuarantineEntry[];
}

export interface QuarantineEntry {
  entry: number;
  sink: string;
  noted: number;
  rows: number;
  reason: string;
  devices: string[];
}

export interface QuarantineNamed {
  sink: string;
  entries: number[];
}

export interface Refused {
  reason: string;
  entries: number;
  rows: number;
  first: number;
  last: number;
  retry: number;
}

export interface ReportGone {
  number: number;
}

export interface ReportJob {
  number: number;
  name: string;
  state: "gathering" | "writing" | "done" | "failed";
  rows: number;
  total: number | null;
  hash: string;
  code: string;
  en: string;
  zh: string;
}

export interface ReportKept {
  number: number;
  name: string;
  kind: "ledger" | "carbon" | "networking";
  period: string;
  interval: string;
  language: "zh" | "en" | "both";
  ending: "xlsx" | "pdf";
  who: string;
  made: number;
  rows: number;
  bytes: number;
  hash: string;
}

export interface ReportOrder {
  kind: "ledger" | "carbon" | "networking";
  period: string;
  interval: "15min" | "60min" | "day" | "week" | "month" | "shift" | "billing" | null;
  language: "zh" | "en" | "both";
  ending: "xlsx" | "pdf";
}

export interface ReportVerdict {
  name: string;
  kind: "ledger" | "carbon" | "networking";
  period: string;
  made: number;
  hash: string;
  today: string;
  changed: string[];
  kept: number[];
}

export interface Reports {
  reports: ReportKept[];
  making: ReportJob | null;
  bytes: number;
  most: number;
  most_bytes: number;
}

export interface ServerCertificate {
  name: string;
  thumbprint: string;
  trusted: boolean;
  ends: number;
}

export interface SessionTold {
  state: "visitor" | "signed_in" | "sign_in";
  name: string;
  role: "viewer" | "engineer" | "administrator" | "auditor" | "token" | "visitor" | "";
  rights: ("account" | "read" | "stream" | "config" | "users" | "audit")[];
  must_change: boolean;
  proof: string;
  listens: boolean;
}

export interface SetUp {
  name: string;
  password: string;
  code: string;
}

export interface SignIn {
  name: string;
  password: string;
}

export interface SignedIn {
  number: string;
  made: number;
  seen: number;
  address: string;
  agent: string;
  is_this: boolean;
}

export interface SinkLedger {
  sink: string;
  role: "sink" | "history" | "energy" | "reader" | "removed";
  kind: string;
  peer: string;
  state: "connecting" | "connected" | "waiting" | "needs_a_person" | "stopped" | null;
  error: string;
  error_zh: string;
  since: number;
  removed: number | null;
  holds: boolean;
  total: LedgerLine;
  lines: LedgerLine[];
  backlog: number;
  lag_s: number | null;
  in_rows_per_s: number | null;
  out_rows_per_s: number | null;
  left_s: number | null;
  room_s: number | null;
  refused: Refused[];
}

export interface South {
  source: string;
  refused: Counted[];
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

export interface StreamEnds {
  oldest: string;
  newest: string;
  epochs: StreamEpoch[];
}

export interface StreamEpoch {
  epoch: string;
  started: number;
  first_seq: number;
  why: string;
}

export interface Strip {
  gateway: string;
  site: string;
  zone: string;
  offset: Offset;
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
  alarms: number;
  unacknowledged: number;
  rows_per_s: number | null;
  store_bytes: number;
  max_bytes: number;
  store_holds_s: number | null;
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

export interface ToAcknowledge {
  note: string;
}

export interface ToShelve {
  length: "1h" | "8h" | "24h" | "7d";
  note: string;
}

export interface Today {
  site: string;
  start: number;
  end: number;
  has_meters: boolean;
  is_booked: boolean;
  is_pending: boolean;
  example: string;
  figures: TodayFigure[];
  own: TodayOwn | null;
  demands: TodayDemand[];
  consumers: TodayConsumer[];
  metered: number;
}

export interface TodayAgainst {
  day: "yesterday" | "weekday";
  value: string | null;
  part: number | null;
}

export interface TodayConsumer {
  meter: string;
  title: string;
  node: string;
  value: string;
  part: number | null;
}

export interface TodayCurve {
  today: EnergyFigures | null;
  yesterday: EnergyFigures | null;
  is_pending: boolean;
}

export interface TodayDemand {
  subject: string;
  present: string | null;
  is_forecast: boolean;
  may_use: string | null;
  limit: string | null;
  limit_by: "meter" | "tariff" | "";
  warn_at: number;
  highest: string | null;
  highest_at: number | null;
  since: number;
  wanted: Wanted[];
}

export interface TodayFigure {
  name: "power" | "energy" | "cost" | "coal" | "co2";
  unit: string;
  value: string | null;
  start: number;
  end: number;
  hourly: string | null;
  hourly_without: EnergyMedium[];
  so_far: string | null;
  until: number;
  against: TodayAgainst[];
  measured: number;
  estimated: number;
  manual: number;
  completeness: number;
  wanted: Wanted[];
  notes: string[];
  doubts: string[];
}

export interface TodayOwn {
  measures: "taken" | "used";
  other: string | null;
  generated: string | null;
  fed_in: string | null;
  is_generation_metered: boolean;
  is_feed_in_metered: boolean;
  doubts: string[];
}

export interface TokenMade {
  secret: string;
}

export interface TokenTold {
  name: string;
  scopes: ("read" | "stream" | "config")[];
  made: number;
  made_by: string;
  expires: number;
  used: number | null;
}

export interface Topic {
  sink: string;
  topic: string;
  at: number;
  count: number;
  bytes: number;
  size: number;
  retained: boolean;
}

export interface Topics {
  total: number;
  topics: Topic[];
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

export interface Trust {
  trusted: boolean;
}

export interface UserTold {
  name: string;
  role: "viewer" | "engineer" | "administrator" | "auditor";
  enabled: boolean;
  must_change: boolean;
  made: number;
  changed: number;
  seen: number | null;
}

export interface Wanted {
  choice: string;
  en: string;
  zh: string;
}

export interface Why {
  tag: TagRow;
  steps: Step[];
  cause: number | null;
  action: string;
}
