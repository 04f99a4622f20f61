// Marks the page if a click on what is given leads to another one, and says so.
const [clicked] = arguments;

const leadsAway = () => {
  if (clicked.matches('a')) {
    const here = location.href.split('#')[0];
    return !(clicked.hash && clicked.href.split('#')[0] === here);
  }
  // The browser does not send a form that lacks what is required.
  return clicked.type === 'submit' && clicked.form !== null && (clicked.form.noValidate || clicked.form.checkValidity());
};
window.isMarked = leadsAway();
return window.isMarked;
