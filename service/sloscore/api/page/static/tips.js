// Escape takes a tip away that hover or focus shows, until the pointer and the focus have left its badge.

function shut(event) {
  if (event.key !== "Escape") return;
  for (const tipped of document.querySelectorAll(".tipped:hover, .tipped:focus-within")) {
    tipped.setAttribute("data-shut", "");
    const open = () => {
      if (tipped.matches(":hover, :focus-within")) return;
      tipped.removeAttribute("data-shut");
      tipped.removeEventListener("pointerleave", open);
      tipped.removeEventListener("focusout", open);
    };
    tipped.addEventListener("pointerleave", open);
    tipped.addEventListener("focusout", () => setTimeout(open));
  }
}

document.addEventListener("keydown", shut);
