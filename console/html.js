/** What every part is made with: markup as tagged templates (htm), and Preact's hooks. Nothing is compiled or evaluated. */
import { Fragment, createContext, h, render } from "./vendor/preact.js";
import { useContext, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/hooks.js";
import htm from "./vendor/htm.js";

export const html = htm.bind(h);
export { Fragment, createContext, render, useContext, useEffect, useLayoutEffect, useMemo, useRef, useState };
