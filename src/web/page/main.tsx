import { render } from "preact";
import { App } from "./app.tsx";
import { start } from "./state.ts";
import { language } from "./words.ts";

document.documentElement.lang = language;
const root = document.getElementById("root");
if (root) render(<App />, root);
void start();
