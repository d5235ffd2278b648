import { render } from "preact";
import { App } from "./app";
import { begun } from "./first";
import "./style.css";

render(<App />, document.getElementById("page") as HTMLElement);
begun();
