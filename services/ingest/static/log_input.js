// Keys, clicks and copies in a log.
import { selectedText } from "./log_links.js";

export function listenToReader(viewer) {
  const { root, box, list, finder, follower } = viewer;

  box.addEventListener("keydown", (pressed) => {
    if (pressed.ctrlKey || pressed.metaKey || pressed.altKey || !list.press(pressed.key)) return;
    pressed.preventDefault();
    // The end of what is still to come, or to be chosen.
    if (pressed.key === "End" && (!viewer.final || viewer.levels.rows)) follower.goToEnd();
  });

  document.addEventListener("keydown", (pressed) => {
    const held = pressed.ctrlKey || pressed.metaKey;
    const find = held && !pressed.shiftKey && pressed.key.toLowerCase() === "f" && root.contains(pressed.target);
    const slash = pressed.key === "/" && !held && !pressed.altKey && !pressed.target.closest?.("input, select, textarea");
    if (!find && !slash) return;
    pressed.preventDefault();
    finder.focus();
  });

  root.addEventListener("click", (clicked) => {
    const number = clicked.target.closest(".log-number");
    const fold = clicked.target.closest(".log-fold");
    const jump = clicked.target.closest("[data-jump]");
    if (number && !clicked.ctrlKey && !clicked.metaKey) {
      clicked.preventDefault();
      if (clicked.shiftKey) getSelection().removeAllRanges();
      viewer.select(Number(number.closest(".log-line").dataset.line), clicked.shiftKey);
    } else if (fold) {
      viewer.toggle(fold.closest("[data-section]").dataset.section);
    } else if (jump) {
      clicked.preventDefault();
      viewer.select(Number(jump.dataset.jump));
      viewer.visit(Number(jump.dataset.jump));
      box.focus({ preventScroll: true });
    } else if (clicked.target.closest("[data-fold-all]")) {
      viewer.toggleAll();
    }
  });

  document.addEventListener("copy", (copied) => {
    const focused = document.activeElement;
    const isNumbers = getSelection().isCollapsed && root.contains(focused) && !focused.matches("input");
    const text = isNumbers ? viewer.linked.text((number) => viewer.line(number)) : selectedText(list.pane);
    if (text === null) return;
    copied.clipboardData.setData("text/plain", text);
    copied.preventDefault();
  });
}
