// The chart of one instrument: candles, indicators, signals, exits, and the levels in force.
const place = document.getElementById('chart');
const key = encodeURIComponent(place.dataset.key);
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const lib = LightweightCharts;

const look = () => ({
  layout: { background: { color: css('--ground') }, textColor: css('--dim'), attributionLogo: false },
  grid: { vertLines: { color: css('--line') }, horzLines: { color: css('--line') } },
  rightPriceScale: { borderColor: css('--line') },
  timeScale: { borderColor: css('--line'), timeVisible: true, secondsVisible: false },
});

const chart = lib.createChart(place, { ...look(), autoSize: true });
const candleLook = () => ({
  upColor: css('--up'), downColor: css('--down'), wickUpColor: css('--up'), wickDownColor: css('--down'), borderVisible: false,
});
const candles = chart.addSeries(lib.CandlestickSeries, candleLook());
const COLOURS = { vwap: '--link', ema20: '--warn', ema50: '--dim', adx: '--text' };
const lines = Object.fromEntries(Object.entries(COLOURS).map(([name, colour]) => [name, chart.addSeries(lib.LineSeries, {
  color: css(colour), lineWidth: 1, priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false,
}, name === 'adx' ? 1 : 0)]));
chart.panes()[1]?.setHeight(90);
let marks = () => [];
let pins = null;
addEventListener('lockstep-theme', () => {
  chart.applyOptions(look());
  candles.applyOptions(candleLook());
  for (const [name, colour] of Object.entries(COLOURS)) lines[name].applyOptions({ color: css(colour) });
  pins?.setMarkers(marks());
});

const get = async (path) => {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return (await answer.json()).data;
};

const signalMark = (signal) => ({
  time: signal.chart_time,
  position: signal.side === 'BUY' ? 'belowBar' : 'aboveBar',
  shape: signal.side === 'BUY' ? 'arrowUp' : 'arrowDown',
  color: signal.declined ? css('--dim') : css(signal.side === 'BUY' ? '--up' : '--down'),
  text: signal.declined ? `${signal.kind} ✗` : signal.kind,
});

// Entries and exits fall inside a bar; they are marked on the bar that holds them.
const barOf = (times, time) => times.findLast((one) => one <= time) ?? time;
const entryMark = (times) => (trade) => ({
  time: barOf(times, trade.entry_chart_time),
  position: trade.side === 'BUY' ? 'belowBar' : 'aboveBar',
  shape: 'square',
  color: css('--link'),
  text: '',
});
const exitMark = (times) => (trade) => ({
  time: barOf(times, trade.exit_chart_time),
  position: trade.side === 'BUY' ? 'aboveBar' : 'belowBar',
  shape: 'circle',
  color: css(trade.net > 0 ? '--up' : '--down'),
  text: trade.reason,
});

function level(price, title, color) {
  candles.createPriceLine({ price: Number(price), title, color, lineWidth: 1, lineStyle: 2, axisLabelVisible: true });
}

// The levels of the signal that was chosen; else those in force.
function levels(signals) {
  const chosen = signals.find((signal) => signal.chart_time === Number(place.dataset.bar));
  const { stop, target } = chosen ?? place.dataset;
  if (stop) level(stop, 'stop', css('--down'));
  if (target) level(target, 'target', css('--up'));
  // Where a position is open, its entry is that of the last signal that was filled.
  const entry = chosen ?? signals.find((signal) => signal.fill_price !== null);
  if (stop && entry && entry.fill_price !== null) level(entry.fill_price, 'entry', css('--link'));
  place.dataset.levels = [stop, target].filter(Boolean).join(' ');
}

async function draw() {
  const [bars, signals, trades] = await Promise.all([
    get(`/api/v1/bars?key=${key}&limit=1000`),
    get(`/api/v1/signals?key=${key}&limit=500`),
    get(`/api/v1/trades?key=${key}&limit=500`),
  ]);
  bars.reverse();
  candles.setData(bars.map((bar) => ({ time: bar.chart_time, open: bar.open, high: bar.high, low: bar.low, close: bar.close })));
  for (const [name, series] of Object.entries(lines)) {
    series.setData(bars.filter((bar) => bar.indicators && bar.indicators[name] !== null)
      .map((bar) => ({ time: bar.chart_time, value: bar.indicators[name] })));
  }
  const times = bars.map((bar) => bar.chart_time);
  const first = times[0] ?? 0;
  marks = () => [...signals.map(signalMark), ...trades.map(entryMark(times)), ...trades.map(exitMark(times))]
    .filter((mark) => mark.time >= first).sort((a, b) => a.time - b.time);
  pins = lib.createSeriesMarkers(candles, marks());
  levels(signals);
  const chosen = times.indexOf(Number(place.dataset.bar));
  const to = chosen < 0 ? bars.length + 4 : Math.min(bars.length + 4, chosen + 40);
  chart.timeScale().setVisibleLogicalRange({ from: to - 84, to });
  place.dataset.bars = bars.length;
  place.dataset.marks = marks().length;
}

draw().catch((error) => { place.dataset.error = error.message; });
