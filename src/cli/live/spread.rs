//! How times are spread: so many, half of them within this, all but a hundredth within that.

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// The longest time that is told from longer ones: a day, in microseconds.
const LONGEST_US: u64 = 86_400_000_000;

/// Times in microseconds, to 1 %. Its size does not grow with their number.
#[derive(Clone, Debug)]
pub struct Spread(Histogram<u64>);

impl Default for Spread {
    fn default() -> Spread {
        Spread(Histogram::new_with_bounds(1, LONGEST_US, 2).expect("bounds and digits are allowed"))
    }
}

impl Spread {
    /// Adds a time. What is before its cause counts as 0: two clocks are never quite alike.
    pub fn add(&mut self, us: i64) {
        self.0.saturating_record(us.max(0).unsigned_abs());
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    fn ms(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1_000.0
    }

    /// For people; none where there is no time.
    pub fn words(&self) -> Option<String> {
        let (half, most) = (self.ms(0.5), self.ms(0.99));
        let longest = self.0.max() as f64 / 1_000.0;
        let text = format!("p50 {half:.2} · p99 {most:.2} · longest {longest:.2} ms");
        (self.count() > 0).then_some(text)
    }

    /// For programs; null where there is no time.
    pub fn json(&self) -> Value {
        match self.count() {
            0 => Value::Null,
            count => json!({
                "count": count,
                "p50_ms": self.ms(0.5),
                "p99_ms": self.ms(0.99),
                "max_ms": self.0.max() as f64 / 1_000.0,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_and_all_but_a_hundredth() {
        let mut spread = Spread::default();
        assert_eq!((spread.words(), spread.json()), (None, Value::Null));
        (1..=1_000).for_each(|ms| spread.add(ms * 1_000));
        spread.add(-5);
        let document = spread.json();
        let about = |name: &str, want: f64| {
            let found = document[name].as_f64().unwrap();
            assert!((found - want).abs() <= want / 100.0, "{name} {found}");
        };
        about("p50_ms", 500.0);
        about("p99_ms", 990.0);
        about("max_ms", 1_000.0);
        assert_eq!(document["count"], 1_001);
        assert!(spread.words().unwrap().starts_with("p50 50"), "{:?}", spread.words());
    }
}
