/** Keys of a page, while nothing is being written. They can be switched off with `?`. */
import { useEffect, useRef } from "../html.js";

const OFF = "atelier-keys-off";
export const areKeysOff = () => localStorage.getItem(OFF) === "1";
export const switchKeys = (isOff) => (isOff ? localStorage.setItem(OFF, "1") : localStorage.removeItem(OFF));

const isWriting = (element) => /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName) && element.type !== "checkbox";

/** Whether a key is for the page: not for a field, a button or a dialog. */
export function isForPage(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || areKeysOff()) return false;
  if (document.querySelector("dialog[open]") || isWriting(event.target)) return false;
  return !(event.key === "Enter" && event.target.closest("a, button, summary, input"));
}

/** Call the function of a key when it is pressed, by `KeyboardEvent.key`. */
export function useKeys(keys) {
  const current = useRef(keys);
  current.current = keys;
  useEffect(() => {
    const press = (event) => {
      const act = isForPage(event) && current.current[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
}
