// What a person would take for the field, button or link with some words on it: the first that is shown.
const [kind, wanted, beside] = arguments;
const tidy = text => (text ?? '').replace(/\s+/g, ' ').trim();
const isShown = element => element.getClientRects().length > 0;

// With all of the words that are there, and without those that only explain or only some people hear.
const texts = element => {
  const without = selector => {
    const copy = element.cloneNode(true);
    copy.querySelectorAll(selector).forEach(part => part.remove());
    return tidy(copy.textContent);
  };
  return [tidy(element.textContent), without('.hint, .error'), without('.visually-hidden')];
};
const isMeant = element =>
  tidy(element.getAttribute('aria-label')) === wanted || texts(element).includes(wanted);

let places = [document];
if (beside !== null) {
  places = [...document.querySelectorAll('tr, li, fieldset, form, section, .card')].filter(
    place => isShown(place) && tidy(place.textContent).includes(beside));
  places = places.filter(place => !places.some(other => other !== place && place.contains(other)));
}
const all = selector => places.flatMap(place => [...place.querySelectorAll(selector)]);

const found = {
  field: () => [
    ...all('label').filter(isMeant).map(label => label.control).filter(field => field !== null),
    ...all('input, select, textarea').filter(field => tidy(field.getAttribute('aria-label')) === wanted),
  ],
  button: () => [
    ...all('button, summary').filter(isMeant),
    ...all('input[type=submit]').filter(button => tidy(button.value) === wanted),
    ...all('a.button').filter(isMeant),
  ],
  link: () => all('a[href]').filter(isMeant),
}[kind]();
return found.find(isShown) ?? null;
