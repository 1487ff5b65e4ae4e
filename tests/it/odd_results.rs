//! Result files as other services write them: whatever they hold, every row gets its one status,
//! and what was answered is in the table (field reports 18 to 26).

use serde_json::{Value, json};

use crate::support::bench::{Bench, ROWS};
use crate::support::gate::Act;

const LINE: &str = "workflow in.csv out.csv --check-interval 2 --rounds=1";
const POLL: &str = "GET /v1/batches/*";
const FETCH: &str = "GET /v1/files/*/content";

/// The row of a result line.
fn row_of(line: &str) -> Option<usize> {
    line.split('-').nth(1)?.parse().ok()
}

/// One odd line for each of the first eight rows, behind a byte-order mark.
fn odd_lines(text: &str) -> String {
    let odd = |line: &str| -> String {
        let mut value: Value = serde_json::from_str(line).expect("a result line is JSON");
        let id = value["custom_id"].as_str().and_then(row_of);
        let response = &mut value["response"];
        match id {
            // Says success in the counters, and nothing came (field 19).
            Some(1) => *response = json!({"status_code": 0, "body": ""}),
            // Refused, with a null error, among the answers (field 21).
            Some(2) => *response = json!({"status_code": 422, "body": {"detail": "too warm"}}),
            // An empty body beside good ones (field 22).
            Some(3) => response["body"] = json!({}),
            // Whose is it? (field 23)
            Some(4) => value["custom_id"] = Value::Null,
            // The question in place of an answer (field 25).
            Some(5) => {
                response["body"] = json!({"model": "gpt-4o", "messages": [{"role": "user"}]});
            }
            // Blocked, and nothing in it (field 26).
            Some(6) => {
                let choice = &mut response["body"]["choices"][0];
                choice["message"]["content"] = Value::Null;
                choice["finish_reason"] = "content_filter".into();
            }
            // A whole answer, wrapped up as text.
            Some(7) => response["body"] = Value::String(response["body"].to_string()),
            _ => {}
        }
        value.to_string() + "\n"
    };
    let lines: String = text.lines().map(odd).collect();
    format!("\u{feff}{lines}{{\"custom_id\": \"half\n")
}

#[test]
fn field_19_21_22_23_25_26_odd_lines_cost_nobody_else_an_answer() {
    let bench = Bench::ruled(|call, _| match call {
        FETCH => Act::Rewrite(odd_lines),
        _ => Act::Pass,
    });
    bench.batchctl(LINE).run().exits(3).says(&["2 lines do not read and were set aside"]);
    assert_eq!(bench.state(), "done");
    let table = bench.dir.cells("out.csv");
    let statuses = table.column("status");
    let expected = ["ok", "error", "error", "error", "missing", "error", "refused", "ok", "ok"];
    assert_eq!(statuses, expected);
    let errors = table.column("error");
    assert!(errors[2].contains("too warm"), "{errors:?}");
    assert!(errors[5].contains("holds no answer"), "{errors:?}");
    let answers = table.column("response");
    assert_eq!(answers[6], "", "nothing is no answer");
    assert!(answers[7].contains("question 7"), "{answers:?}");
    // Only what is good is ever taken again, and what passed is asked again by itself elsewhere.
    assert_eq!(bench.paid().len(), ROWS);
}

/// Field report 20: nothing in every spelling; field report 18: completed, with nothing but an
/// error file, whose commonest message is shown with its count.
#[test]
fn field_18_20_only_an_error_file_and_ids_that_are_none() {
    for absent in [
        (|batch: &mut Value| batch["output_file_id"] = "".into()) as fn(&mut Value),
        |batch| batch["output_file_id"] = json!({}),
        |batch| batch["output_file_id"] = Value::Null,
        |batch| drop(batch.as_object_mut().map(|batch| batch.remove("output_file_id"))),
    ] {
        let bench = Bench::ruled(move |call, _| match call {
            POLL => Act::Edit(absent),
            _ => Act::Pass,
        });
        bench
            .dir
            .write("in.csv", "id,text\n1,a [[fail:400]]\n2,b [[fail:400]]\n3,c [[fail:429]]\n");
        let output = bench.batchctl(LINE).run().exits(3);
        output.says(&["error 3", "2 × "]);
        assert_eq!(bench.state(), "done");
    }
    let bench = Bench::ruled(|call, _| match call {
        POLL => Act::Edit(|batch| batch["error_file_id"] = json!({})),
        _ => Act::Pass,
    });
    bench.batchctl(LINE).run().exits(0);
    assert_eq!(bench.rows("ok"), ROWS as u64);
}
