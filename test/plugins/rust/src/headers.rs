use crate::{log, LANGUAGE};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel};

pub struct Headers;

impl Context for Headers {}

impl HttpContext for Headers {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let path = self.get_http_request_header(":path").unwrap_or_default();
        if path == "/hello" {
            let fields = vec![("hello", "World"), ("powered-by", "proxy-wasm")];
            self.send_http_response(200, fields, Some(b"Hello, World!\n"));
            return Action::Pause;
        }
        if let Some(rest) = path.strip_prefix("/old") {
            self.set_http_request_header(":path", Some(&format!("/new{rest}")));
        }
        let doubles = self.get_http_request_headers();
        let doubles = doubles
            .iter()
            .filter(|(name, _)| name == "x-double")
            .count();
        self.set_http_request_header("x-double-count", Some(&doubles.to_string()));
        self.set_http_request_header("x-plugin", Some(LANGUAGE));
        self.add_http_request_header("x-many", "a");
        self.add_http_request_header("x-many", "b");
        self.remove_http_request_header("x-remove");
        let echo = self
            .get_http_request_header("x-in")
            .unwrap_or("none".into());
        self.set_http_request_header("x-echo", Some(&echo));
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        self.add_http_response_header("x-response", LANGUAGE);
        self.remove_http_response_header("x-internal");
        if let Some(status) = self.get_http_response_header("x-want-status") {
            self.set_http_response_header(":status", Some(&status));
        }
        Action::Continue
    }

    fn on_log(&mut self) {
        let path = self.get_http_request_header(":path").unwrap_or_default();
        let status = self.get_http_response_header(":status").unwrap_or_default();
        log(LogLevel::Info, &format!("done {path} {status}"));
    }
}

pub struct Typical;

impl Context for Typical {}

impl HttpContext for Typical {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let length = |name| {
            self.get_http_request_header_bytes(name)
                .map_or(0, |value| value.len())
        };
        let total = length("user-agent") + length("accept") + length("cookie");
        self.set_http_request_header("x-length", Some(&total.to_string()));
        Action::Continue
    }
}

pub struct Replies;

impl Context for Replies {}

impl HttpContext for Replies {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        if let Some(status) = self.get_http_request_header("x-grpc") {
            self.send_grpc_response(
                proxy_wasm::types::GrpcStatusCode::Aborted,
                Some(&format!("aborted, not {status}")),
                vec![("x-reason", b"asked")],
            );
            return Action::Pause;
        }
        let Some(status) = self.get_http_request_header("x-reply") else {
            return Action::Continue;
        };
        let body = format!("replied {status}\n");
        let status = status.parse().unwrap_or(500);
        self.send_http_response(status, vec![("x-reason", "asked")], Some(body.as_bytes()));
        Action::Pause
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        if self.get_http_response_header("x-bad").is_none() {
            return Action::Continue;
        }
        self.send_http_response(502, vec![("x-reason", "bad")], Some(b"replaced\n"));
        Action::Pause
    }
}

pub struct Trailers;

impl Context for Trailers {}

impl HttpContext for Trailers {
    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        let seen = self
            .get_http_request_trailer("x-in")
            .unwrap_or("none".into());
        self.add_http_request_trailer("x-seen", &seen);
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        self.set_http_response_trailer("x-response-trailer", Some(LANGUAGE));
        self.set_http_response_trailer("x-drop", None);
        Action::Continue
    }
}
