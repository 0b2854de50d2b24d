/** Shows the values under the pointer, in every chart over the same axis at once. */
const plots = [...document.querySelectorAll('.plot')].map((plot) => ({
  plot,
  chart: JSON.parse(plot.dataset.chart),
  values: [...plot.parentElement.querySelectorAll('figcaption li b')],
  cursor: plot.querySelector('.cursor'),
}))

function short(value) {
  if (value === null) return '–'
  return Math.abs(value) >= 1000
    ? Math.round(value).toLocaleString('en').replaceAll(',', '\u2009')
    : Number(value.toPrecision(3))
}

function show(share, unit) {
  for (const { chart, values, cursor } of plots) {
    if (chart.xUnit !== unit) continue
    const nearest = chart.xs.reduce(
      (best, at, index) => (Math.abs(at - share) < Math.abs(chart.xs[best] - share) ? index : best),
      0,
    )
    cursor.style.left = `${chart.xs[nearest] * 100}%`
    cursor.dataset.at = short(chart.x[nearest])
    cursor.classList.toggle('right', chart.xs[nearest] > 0.85)
    chart.lines.forEach((line, index) => (values[index].textContent = short(line[nearest])))
  }
  document.body.classList.add('pointing')
}

for (const { plot, chart } of plots) {
  plot.addEventListener('pointermove', (event) => {
    const { left, width } = plot.getBoundingClientRect()
    show((event.clientX - left) / width, chart.xUnit)
  })
  plot.addEventListener('pointerleave', () => {
    document.body.classList.remove('pointing')
    for (const one of plots) for (const value of one.values) value.textContent = ''
  })
}
