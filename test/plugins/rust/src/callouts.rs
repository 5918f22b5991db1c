use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_millis(2000);

pub struct Auth;

impl Context for Auth {
    fn on_http_call_response(&mut self, _: u32, fields: usize, size: usize, _: usize) {
        // Where the call failed there is no map, and the SDK panics where a host says so.
        let status = match fields {
            0 => None,
            _ => self.get_http_call_response_header(":status"),
        };
        let status = status.unwrap_or("none".into());
        if status == "200" {
            let user = self
                .get_http_call_response_header("x-user")
                .unwrap_or_default();
            let body = self
                .get_http_call_response_body(0, size)
                .unwrap_or_default();
            self.set_http_request_header("x-user", Some(&user));
            self.set_http_request_header("x-call-body", Some(&String::from_utf8_lossy(&body)));
            self.resume_http_request();
            return;
        }
        let fields = vec![("x-auth-status", status.as_str())];
        self.send_http_response(403, fields, Some(b"Access forbidden.\n"));
    }
}

impl HttpContext for Auth {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let path = self.get_http_request_header(":path").unwrap_or_default();
        let upstream = if path == "/unknown" {
            "nowhere"
        } else {
            "authz"
        };
        let token = self.get_http_request_header("x-token").unwrap_or_default();
        let mut fields = vec![
            (":method", "POST"),
            (":path", "/check"),
            (":authority", "authz"),
        ];
        fields.push(("x-token", &token));
        let sent = self.dispatch_http_call(upstream, fields, Some(b"who is it?"), vec![], TIMEOUT);
        if sent.is_err() {
            self.send_http_response(500, vec![], Some(b"dispatch refused\n"));
        }
        Action::Pause
    }
}

pub struct Dispatches {
    pub pending: u32,
}

impl Context for Dispatches {
    fn on_http_call_response(&mut self, _: u32, _: usize, _: usize, _: usize) {
        self.pending -= 1;
        if self.pending == 0 {
            self.set_http_response_header("x-dispatched", Some("3"));
            self.resume_http_response();
        }
    }
}

impl HttpContext for Dispatches {
    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        for path in ["/1", "/2", "/3"] {
            let fields = vec![(":method", "GET"), (":path", path), (":authority", "authz")];
            self.dispatch_http_call("authz", fields, None, vec![], TIMEOUT)
                .unwrap();
        }
        Action::Pause
    }
}
