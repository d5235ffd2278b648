import { render } from "preact";
import { App } from "./app";
import { heardFirst } from "./feed";
import { ready } from "./format";
import { learn } from "./session";
import "./style.css";

// Mostly soon known, since the page's head has asked who looks: then the first thing drawn is the view. A failure the page tells itself.
const late = new Promise((done) => setTimeout(done, 500));
const known = learn().then(() => {
  const heard = heardFirst();
  ready();
  return heard;
}).catch(() => undefined);
void Promise.race([known, late]).then(() => render(<App />, document.getElementById("page") as HTMLElement));
