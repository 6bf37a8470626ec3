// The equity of a run, day by day.
const place = document.getElementById('equity');
const numbers = (text) => (text ? text.split(',').map(Number) : []);
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const data = [numbers(place.dataset.days), numbers(place.dataset.equity)];
const rupees = (value, digits) => value.toLocaleString('en-IN', { minimumFractionDigits: digits, maximumFractionDigits: digits });
let plot = null;

function draw() {
  plot?.destroy();
  const axis = { stroke: css('--dim'), grid: { stroke: css('--line'), width: 1 }, ticks: { stroke: css('--line') } };
  plot = new uPlot({
    width: place.clientWidth - 16,
    height: 260,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'UTC'),
    scales: { x: { time: true } },
    axes: [{ ...axis, values: (_, days) => days.map((day) => new Date(day * 1000).toISOString().slice(5, 10)) }, { ...axis, size: 76, values: (_, ticks) => ticks.map((tick) => rupees(tick, 0)) }],
    series: [{ label: 'Day', value: '{YYYY}-{MM}-{DD}' }, { label: 'Equity ₹', stroke: css('--link'), width: 2, value: (_, value) => (value == null ? '–' : rupees(value, 2)) }],
  }, data, place);
  place.dataset.drawn = data[0].length;
}

if (data[0].length) {
  draw();
  addEventListener('lockstep-theme', draw);
  addEventListener('resize', draw);
} else {
  place.textContent = 'No day has ended yet.';
}
