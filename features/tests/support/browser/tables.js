// The tables that are shown, with the text of their cells.
const text = cell => cell.innerText.replace(/\s+/g, ' ').trim();
const cells = row => [...row.cells].map(text);
return [...document.querySelectorAll('table')]
  .filter(table => table.getClientRects().length > 0 && table.rows.length > 0)
  .map(table => {
    const [columns, ...rows] = [...table.rows].map(cells);
    return { columns, rows };
  });
