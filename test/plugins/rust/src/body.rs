use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

#[derive(Default)]
pub struct Body {
    mode: String,
}

impl Context for Body {}

impl HttpContext for Body {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        self.mode = self.get_http_request_header("x-body").unwrap_or_default();
        self.set_http_request_header("content-length", None);
        Action::Continue
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        if !end {
            return Action::Pause;
        }
        match self.mode.as_str() {
            "append" => self.set_http_request_body(size, 0, b"[end]"),
            "prepend" => self.set_http_request_body(0, 0, b"[begin]"),
            "replace" => self.set_http_request_body(0, size, b"[replaced]"),
            _ => {
                let body = self.get_http_request_body(0, size).unwrap_or_default();
                if let Some(text) = redacted(&body) {
                    self.set_http_request_body(0, size, text.as_bytes());
                }
            }
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        self.set_http_response_header("content-length", None);
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        if !end {
            return Action::Pause;
        }
        let body = self.get_http_response_body(0, size).unwrap_or_default();
        if let Some(text) = redacted(&body) {
            self.set_http_response_body(0, size, text.as_bytes());
        }
        Action::Continue
    }
}

fn redacted(body: &[u8]) -> Option<String> {
    find(body, b"secret")?;
    Some(format!(
        "Original message body ({} bytes) redacted.\n",
        body.len()
    ))
}

fn find(body: &[u8], what: &[u8]) -> Option<usize> {
    body.windows(what.len()).position(|part| part == what)
}

pub struct Scan;

impl Context for Scan {}

impl HttpContext for Scan {
    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        let body = self.get_http_request_body(0, size).unwrap_or_default();
        if let Some(at) = find(&body, b"pattern") {
            let text = format!("pattern at {at}\n");
            self.send_http_response(403, vec![("x-scan", "found")], Some(text.as_bytes()));
            return Action::Pause;
        }
        if end {
            Action::Continue
        } else {
            Action::Pause
        }
    }
}
