import { render } from "preact";
import { App } from "./app";
import { learn } from "./session";
import "./style.css";

// Mostly known by now, since the page's head asked: then the first thing drawn is the view. A failure the page tells itself.
const late = new Promise((done) => setTimeout(done, 500));
void Promise.race([learn().catch(() => undefined), late]).then(() => render(<App />, document.getElementById("page") as HTMLElement));
