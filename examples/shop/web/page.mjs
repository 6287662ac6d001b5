const headline = 'Stones for every purpose'

const style = `
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem; color: #222 }
  ul { list-style: none; padding: 0 }
  li { display: flex; gap: 1rem; align-items: baseline; border-bottom: 1px solid #ddd; padding: .5rem 0 }
  li span { flex: 1 }
  button { font: inherit; padding: .2rem .8rem }
  footer { color: #777; margin-top: 2rem; font-size: .9rem }`

export function shopPage({ products, cart, views, stamp }, webStamp) {
  const total = cart.reduce((sum, { price, quantity }) => sum + price * quantity, 0)
  return page(
    headline,
    `<ul>${products.map(productLine).join('')}</ul>
    <h2>Your cart</h2>
    ${cart.length === 0 ? '<p>It is empty.</p>' : `<ul>${cart.map(cartLine).join('')}</ul>`}
    <p><strong>Total ${money(total)}</strong></p>
    <footer>Seen ${views} times. web ${escape(webStamp)}, api ${escape(stamp)}</footer>`,
  )
}

export const errorPage = (webStamp) =>
  page('Back in a moment', `<p>The shop cannot be reached.</p><footer>web ${escape(webStamp)}</footer>`)

const page = (title, body) => `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${escape(title)}</title><style>${style}</style></head>
<body><h1>${escape(title)}</h1>
${body}
</body></html>
`

const productLine = ({ id, name, price }) => `
  <li><span>${escape(name)}</span> ${money(price)}
    <form method="post" action="/cart"><input type="hidden" name="product" value="${escape(id)}">
    <button>Add</button></form></li>`

const cartLine = ({ name, quantity, price }) => `
  <li><span>${quantity} × ${escape(name)}</span> ${money(price * quantity)}</li>`

const money = (cents) => `€${(cents / 100).toFixed(2)}`

const escape = (text) => String(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
