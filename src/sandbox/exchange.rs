//! One exchange, from a request's head to the answer: route, read, decide (fault and operation under one lock), wait,
//! then answer or reset.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use hyper::body::Body;
use hyper::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};
use tokio::sync::watch;

use super::answer::Answer;
use super::bodies::{self, ReplyBody};
use super::call::{BrokenOff, Call};
use super::control;
use super::deletions::take_neighbours;
use super::faults::{Apply, Close, Fault, Moment, Reset};
use super::journal::{Applied, RequestRecord};
use super::route::{Endpoint, Route, route};
use super::serve::{Extent, serve, serve_late};
use super::server::Wire;
use super::state::World;

/// The state and the bell that rings when it changes.
#[derive(Debug)]
pub(super) struct Shared {
    world: Mutex<World>,
    changes: watch::Sender<()>,
}

impl Shared {
    pub(super) fn new(world: World) -> Self {
        Self {
            world: Mutex::new(world),
            changes: watch::Sender::new(()),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, World> {
        // A test that panics while inspecting must not take the server's other tests with it.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn changed(&self) {
        self.changes.send_replace(());
    }

    pub(super) fn watch(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }
}

/// Why a connection ends without an answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    #[error(transparent)]
    BrokenOff(#[from] BrokenOff),
    #[error("reset, as a fault demands")]
    Reset,
}

/// What was decided for a call.
struct Decision {
    sequence: u64,
    answer: Answer,
    fault: Fault,
}

/// Handles one request of a connection.
pub(super) async fn exchange<B>(
    request: Request<B>,
    shared: Arc<Shared>,
    wire: Arc<Wire>,
) -> Result<Response<ReplyBody>, Unanswered>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let path = request.uri().path();
    if path.starts_with(control::PREFIX) {
        let answer = control::serve(request, &shared).await?;
        return Ok(respond(&shared, answer, &Fault::default(), &wire));
    }
    let route = route(request.method(), path);
    let line = format!("{} {}", request.method(), path);
    if let Some(fault) = met_before_reading(&shared, route, &line) {
        pause(fault.delay_ms).await;
        return Err(reset(&wire));
    }
    let call = Call::read(route, line, request).await?;
    let decision = decide(&shared, &call);
    shared.changed();
    let Decision {
        sequence,
        answer,
        fault,
    } = decision;
    if fault.application() == Apply::After {
        apply_late(Arc::clone(&shared), call, sequence, fault.clone());
    }
    pause(fault.delay_ms).await;
    match fault.reset {
        Some(Reset::AfterRead | Reset::BeforeRead) => Err(reset(&wire)),
        None => Ok(respond(&shared, answer, &fault, &wire)),
    }
}

fn met_before_reading(shared: &Shared, route: Route, line: &str) -> Option<Fault> {
    let mut world = shared.lock();
    let (id, fault) = world.faults.meet(Moment::HeadRead, route.endpoint, &[])?;
    let record = RequestRecord {
        sequence: world.journal.next_sequence(),
        at_ms: world.now_ms(),
        endpoint: route.endpoint,
        module: route.module,
        line: line.to_owned(),
        body_bytes: 0,
        parent_id: None,
        batch_id: None,
        file_ids: Vec::new(),
        status: None,
        applied: Applied::No,
        removed: 0,
        fault: Some(id),
    };
    world.journal.request(record);
    drop(world);
    shared.changed();
    Some(fault)
}

/// Fault, operation and journal entry, as one step that no other request can see half done.
fn decide(shared: &Shared, call: &Call) -> Decision {
    let mut world = shared.lock();
    let file_ids = call.file_ids();
    let sequence = world.journal.next_sequence();
    let met = world
        .faults
        .meet(Moment::BodyRead, call.route.endpoint, &file_ids);
    let (fault_id, fault) = met.map_or((None, Fault::default()), |(id, fault)| (Some(id), fault));
    let (answer, removed) = play(&mut world, call, &fault, sequence);
    let applied = match application(&fault, call) {
        Apply::Before => Applied::Yes,
        Apply::Half if is_delete(call.route.endpoint) => Applied::Half,
        Apply::Half => Applied::Yes,
        Apply::Never => Applied::No,
        Apply::After => Applied::Later,
    };
    let record = RequestRecord {
        sequence,
        at_ms: world.now_ms(),
        endpoint: call.route.endpoint,
        module: call.route.module,
        line: call.line.clone(),
        body_bytes: call.body_bytes,
        parent_id: call.parent().text(),
        batch_id: call.reference("batchId").text(),
        file_ids,
        status: fault.reset.is_none().then_some(answer.status),
        applied,
        removed,
        fault: fault_id,
    };
    world.journal.request(record);
    Decision {
        sequence,
        answer,
        fault,
    }
}

/// Serves the call as far as the fault lets it, and finds the answer to give: the fault's own, or the real one.
fn play(world: &mut World, call: &Call, fault: &Fault, sequence: u64) -> (Answer, usize) {
    let scripted = scripted_answer(fault);
    let extent = match application(fault, call) {
        Apply::Before => Extent::All,
        Apply::Half => Extent::Half,
        Apply::Never | Apply::After => Extent::Nothing,
    };
    if extent == Extent::Nothing
        && let Some(answer) = scripted
    {
        // Not served at all: it neither waits for its turn nor takes one.
        return (answer, neighbours(world, call, fault, sequence));
    }
    let served = serve(world, call, extent, sequence);
    let bystanders = neighbours(world, call, fault, sequence);
    (scripted.unwrap_or(served.answer), served.removed + bystanders)
}

/// When the operation takes place; a lie concerns deletes alone.
fn application(fault: &Fault, call: &Call) -> Apply {
    if fault.lie && !is_delete(call.route.endpoint) {
        Apply::Before
    } else {
        fault.application()
    }
}

fn neighbours(world: &mut World, call: &Call, fault: &Fault, sequence: u64) -> usize {
    match fault.neighbour_vanishes {
        0 => 0,
        count => take_neighbours(world, call, count, sequence),
    }
}

fn is_delete(endpoint: Endpoint) -> bool {
    [
        Endpoint::DeleteFiles,
        Endpoint::DeleteBatch,
        Endpoint::DeleteClassification,
        Endpoint::DeleteExtraction,
    ]
    .contains(&endpoint)
}

/// The answer that a fault puts in place of the real one.
fn scripted_answer(fault: &Fault) -> Option<Answer> {
    let status = fault.status.unwrap_or(200);
    match &fault.body {
        Some(body) => Some(Answer::scripted(status, body)),
        None if fault.status.is_none() => None,
        None if matches!(status, 204 | 205 | 300..400) => Some(Answer::empty(status)),
        None => {
            let reason = StatusCode::from_u16(status)
                .ok()
                .and_then(|code| code.canonical_reason());
            // The vendor's one documented error body spells its words in lower case.
            let documented = (status == 500).then_some("Internal server error");
            Some(Answer::error(status, documented.or(reason).unwrap_or("Error")))
        }
    }
}

fn apply_late(shared: Arc<Shared>, call: Call, sequence: u64, fault: Fault) {
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(fault.late_ms)).await;
        let mut world = shared.lock();
        let served = serve_late(&mut world, &call, sequence);
        world.journal.applied_late(sequence, served.removed);
        drop(world);
        shared.changed();
    });
}

async fn pause(milliseconds: u64) {
    if milliseconds > 0 {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

fn reset(wire: &Wire) -> Unanswered {
    wire.demand_reset();
    Unanswered::Reset
}

/// Turns an answer into HTTP, with the fault's headers and the body's shape.
fn respond(shared: &Shared, answer: Answer, fault: &Fault, wire: &Wire) -> Response<ReplyBody> {
    let content_type = fault.content_type.as_ref().unwrap_or(&answer.content_type);
    let shaped = bodies::shape(fault.shape, answer.body);
    let mut response = Response::new(shaped.body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if !content_type.is_empty()
        && let Ok(value) = HeaderValue::from_str(content_type)
    {
        headers.insert(CONTENT_TYPE, value);
    }
    if let Some(length) = shaped.content_length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    if let Some(encoding) = shaped.content_encoding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    if !fault.omit_date
        && let Some(date) = date_header(&shared.lock(), fault.date_skew_ms)
    {
        headers.insert(DATE, date);
    }
    for (name, value) in &fault.headers {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(value),
        ) {
            headers.append(name, value);
        }
    }
    match fault.close {
        Some(Close::Announced) => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Some(Close::Silent) => wire.close_silently(),
        None => {}
    }
    response
}

/// The last second that an HTTP date can name, in ms UTC: the end of the year 9999.
const LAST_DATE_MS: i64 = 253_402_300_799_000;

fn date_header(world: &World, skew_ms: i64) -> Option<HeaderValue> {
    if world.date.omitted {
        return None;
    }
    let shown = world
        .now_ms()
        .saturating_add(world.date.skew_ms)
        .saturating_add(skew_ms);
    let since_epoch = Duration::from_millis(shown.clamp(0, LAST_DATE_MS).unsigned_abs());
    HeaderValue::from_str(&httpdate::fmt_http_date(UNIX_EPOCH + since_epoch)).ok()
}
