// What we publish: the topics on the left, what was said last on the right. Read only.
import { useEffect, useState } from "preact/hooks";
import type { MessageText, Topic, Topics } from "../api";
import { useAnswer } from "../energy/data";
import { watch } from "../feed";
import { age, bytes, figure } from "../format";
import { Card, Failed, Loading, Wide } from "../parts";
import { t } from "../words";
import "./topics.css";

export default function TopicsView() {
  const [words, find] = useState("");
  const [chosen, choose] = useState<Topic | null>(null);
  useEffect(() => watch([], false), []);
  const { answer, error, again } = useAnswer<Topics>("topics", { q: words }, 2000);
  return (
    <div class="topics">
      <h1>{t("nav.topics")}</h1>
      <div class="topics-columns">
        <Card title={t("topics.total", { count: answer ? figure(answer.total) : "…" })}>
          <div class="tools inside"><input type="search" aria-label={t("topics.search")} placeholder={t("topics.search")} value={words} onInput={(event) => find(event.currentTarget.value)} /></div>
          {error && !answer && <Failed reason={error} retry={again} />}
          {!error && !answer && <Loading />}
          {answer && answer.topics.length === 0 && <p class="empty">{t("topics.none")}</p>}
          {answer && answer.topics.length > 0 && (
            <div class="list"><Wide label={t("nav.topics")}>
              <table class="links">
                <thead><tr><th>{t("topics.topic")}</th><td>{t("topics.sink")}</td><td class="num">{t("topics.last")}</td><td class="num">{t("topics.count")}</td><td class="num">{t("topics.size")}</td></tr></thead>
                <tbody>
                  {answer.topics.map((each) => (
                    <tr key={`${each.sink} ${each.topic}`} class={chosen?.topic === each.topic && chosen.sink === each.sink ? "chosen" : ""}>
                      <th scope="row"><button type="button" class="as-link" aria-pressed={chosen?.topic === each.topic && chosen.sink === each.sink} onClick={() => choose(each)}>{inLevels(each.topic)}</button>{each.retained && <small> {t("topics.retained")}</small>}</th>
                      <td>{each.sink}</td>
                      <td class="num">{age(each.at)}</td>
                      <td class="num">{figure(each.count)}</td>
                      <td class="num">{bytes(each.size)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </Wide></div>
          )}
        </Card>
        {chosen ? <Message key={`${chosen.sink} ${chosen.topic}`} of={chosen} /> : <p class="empty">{t("topics.choose")}</p>}
      </div>
    </div>
  );
}

/** A long topic is broken between its levels. */
const inLevels = (topic: string) => topic.split("/").flatMap((level, i) => (i ? ["/", <wbr key={i} />, level] : [level]));

function Message({ of }: { of: Topic }) {
  const { answer, error, again } = useAnswer<MessageText>("topics/message", { sink: of.sink, topic: of.topic }, 2000);
  return (
    <Card title={of.topic} note={answer ? t(`topics.form.${answer.form}`) : undefined}>
      {error && !answer && <Failed reason={error} retry={again} />}
      {!error && !answer && <Loading />}
      {answer && <pre tabIndex={0}>{answer.text}</pre>}
    </Card>
  );
}
