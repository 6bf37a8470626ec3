//! What is said to the feed, and what it answers in words. A request is JSON in a binary frame; the
//! feed never says yes to one. It says no in a text frame, or says nothing.

use serde::Serialize;
use serde_json::Value;

use super::value::words;

/// Keys in one request. The feed takes more per connection, but not at once.
pub const KEYS_MAX: usize = 500;

/// How much is asked for per key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Last trade and the close of the day before.
    Ltpc,
    /// Last trade, best bid and ask, the greeks of an option.
    OptionGreeks,
    /// All there is, with five levels of the order book.
    Full,
    /// The same with thirty levels, for some accounts.
    FullD30,
}

#[derive(Serialize)]
struct Request<'a> {
    guid: String,
    method: &'static str,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<Mode>,
    instrument_keys: &'a [String],
}

/// The requests that subscribe `keys`, each with a guid of its own.
pub fn subscribe(mode: Mode, keys: &[String], guid: impl FnMut() -> String) -> Vec<Vec<u8>> {
    requests("sub", Some(mode), keys, guid)
}

/// The requests that change the mode of `keys`, each with a guid of its own.
pub fn change_mode(mode: Mode, keys: &[String], guid: impl FnMut() -> String) -> Vec<Vec<u8>> {
    requests("change_mode", Some(mode), keys, guid)
}

/// The requests that end the subscription of `keys`, each with a guid of its own.
pub fn unsubscribe(keys: &[String], guid: impl FnMut() -> String) -> Vec<Vec<u8>> {
    requests("unsub", None, keys, guid)
}

fn requests(
    method: &'static str,
    mode: Option<Mode>,
    keys: &[String],
    mut guid: impl FnMut() -> String,
) -> Vec<Vec<u8>> {
    let request = |instrument_keys| {
        let data = Data { mode, instrument_keys };
        let request = Request { guid: guid(), method, data };
        serde_json::to_vec(&request).expect("texts and a unit variant are JSON")
    };
    keys.chunks(KEYS_MAX).map(request).collect()
}

/// A no of the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// What was asked for, in the feed's words; may be empty.
    pub method: String,
    /// What is wrong with it.
    pub error: String,
}

/// Reads a text frame. None if it is no complaint.
pub fn complaint(text: &str) -> Option<Complaint> {
    let Ok(Value::Object(object)) = serde_json::from_str(text) else { return None };
    let status = object.get("status").and_then(Value::as_str);
    if !matches!(status, Some("failed" | "error")) {
        return None;
    }
    let said = |name: &str| match object.get(name) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(words(text)),
        Some(other) => Some(words(&other.to_string())),
    };
    let error = ["error", "errors", "message"].into_iter().find_map(said);
    let error = error.unwrap_or_else(|| "no reason given".to_owned());
    Some(Complaint { method: said("method").unwrap_or_default(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("NSE_EQ|INE{number:09}")).collect()
    }

    fn text(requests: &[Vec<u8>]) -> Vec<&str> {
        requests.iter().map(|request| std::str::from_utf8(request).unwrap()).collect()
    }

    #[test]
    fn a_request_is_written_as_the_feed_wants_it() {
        let keys = ["NSE_EQ|INE245A01021".to_owned(), "NSE_INDEX|Nifty 50".to_owned()];
        let mut guids = ["a", "b", "c"].into_iter().map(str::to_owned);
        let mut guid = || guids.next().unwrap();
        let mut requests = subscribe(Mode::Full, &keys, &mut guid);
        requests.extend(change_mode(Mode::Ltpc, &keys[..1], &mut guid));
        requests.extend(unsubscribe(&keys[..1], &mut guid));
        let two = r#"["NSE_EQ|INE245A01021","NSE_INDEX|Nifty 50"]"#;
        let one = r#"["NSE_EQ|INE245A01021"]"#;
        let want = [
            format!(r#""a","method":"sub","data":{{"mode":"full","instrumentKeys":{two}"#),
            format!(r#""b","method":"change_mode","data":{{"mode":"ltpc","instrumentKeys":{one}"#),
            format!(r#""c","method":"unsub","data":{{"instrumentKeys":{one}"#),
        ];
        let want = want.map(|inside| format!(r#"{{"guid":{inside}}}}}"#));
        assert_eq!(text(&requests), want);
        let mode = |mode| serde_json::to_string(&mode).unwrap();
        let others = [mode(Mode::OptionGreeks), mode(Mode::FullD30)];
        assert_eq!(others, [r#""option_greeks""#, r#""full_d30""#]);
    }

    #[test]
    fn many_keys_are_asked_for_in_turn_and_none_is_lost() {
        for count in [0, 1, 500, 501, 1_203] {
            let keys = keys(count);
            let mut number = 0;
            let requests = subscribe(Mode::Ltpc, &keys, || {
                number += 1;
                number.to_string()
            });
            assert_eq!(requests.len(), count.div_ceil(500));
            let mut said = Vec::new();
            for (index, request) in requests.iter().enumerate() {
                let value: Value = serde_json::from_slice(request).unwrap();
                assert_eq!(value["guid"], (index + 1).to_string());
                let part = value["data"]["instrumentKeys"].as_array().unwrap();
                assert!((1..=500).contains(&part.len()));
                said.extend(part.iter().map(|key| key.as_str().unwrap().to_owned()));
            }
            assert_eq!(said, keys);
        }
    }

    #[test]
    fn a_no_is_understood_in_all_its_forms() {
        let read = |text| complaint(text).map(|it| (it.method, it.error));
        let some = |method: &str, error: &str| Some((method.to_owned(), error.to_owned()));
        let plain = r#"{"status":"failed","method":"sub","error":"Invalid\ninstrument"}"#;
        assert_eq!(read(plain), some("sub", "Invalid instrument"));
        let nested = r#"{"status":"error","errors":[{"errorCode":"UDAPI1021"}]}"#;
        assert_eq!(read(nested), some("", r#"[{"errorCode":"UDAPI1021"}]"#));
        assert_eq!(read(r#"{"status":"failed"}"#), some("", "no reason given"));
        for other in ["", "{", "[]", "hello", r#"{"status":"success"}"#, r#"{"status":7}"#] {
            assert_eq!(read(other), None, "{other}");
        }
        assert_eq!(complaint(&"[".repeat(1_000_000)), None, "not for ever deep");
    }
}
