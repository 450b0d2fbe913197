import { render } from "preact";

render(<h1>Foyer</h1>, document.getElementById("root") as HTMLElement);
