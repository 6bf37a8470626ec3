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
const candles = chart.addSeries(lib.CandlestickSeries, {
  upColor: css('--up'), downColor: css('--down'), wickUpColor: css('--up'), wickDownColor: css('--down'), borderVisible: false,
});
const line = (color, pane = 0) => chart.addSeries(lib.LineSeries, {
  color, lineWidth: 1, priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false,
}, pane);
const lines = { vwap: line(css('--link')), ema20: line(css('--warn')), ema50: line(css('--dim')), adx: line(css('--text'), 1) };
chart.panes()[1]?.setHeight(90);
addEventListener('lockstep-theme', () => chart.applyOptions(look()));

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
  text: signal.declined ? `${signal.kind} (declined)` : signal.kind,
});

// An exit falls inside a bar; it is marked on the bar that holds it.
const exitMark = (times) => (trade) => ({
  time: times.findLast((time) => time <= trade.exit_chart_time) ?? trade.exit_chart_time,
  position: trade.side === 'BUY' ? 'aboveBar' : 'belowBar',
  shape: 'circle',
  color: css(trade.net > 0 ? '--up' : '--down'),
  text: trade.reason,
});

function level(price, title, color) {
  candles.createPriceLine({ price: Number(price), title, color, lineWidth: 1, lineStyle: 2, axisLabelVisible: true });
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
  const marks = [...signals.map(signalMark), ...trades.map(exitMark(times))].filter((mark) => mark.time >= first);
  marks.sort((a, b) => a.time - b.time);
  lib.createSeriesMarkers(candles, marks);
  const { stop, target } = place.dataset;
  if (stop) level(stop, 'stop', css('--down'));
  if (target) level(target, 'target', css('--up'));
  // Where a position is open, its entry is the last signal that was filled.
  const entry = signals.find((signal) => signal.fill_price !== null);
  if (stop && entry) level(entry.fill_price, 'entry', css('--link'));
  chart.timeScale().setVisibleLogicalRange({ from: bars.length - 80, to: bars.length + 4 });
  place.dataset.bars = bars.length;
  place.dataset.marks = marks.length;
}

draw().catch((error) => { place.dataset.error = error.message; });
