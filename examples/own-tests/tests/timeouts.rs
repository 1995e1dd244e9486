//! What closes the connections of our order service: one test of a scenario's file, one of a scenario in code.

use whyclosed::testing::{Error, Program, Scenario};

fn program() -> Program {
    whyclosed::program!("own-whyclosed")
}

#[tokio::test]
async fn the_order_service_notices_a_dead_broker_by_its_heartbeat() -> Result<(), Error> {
    let ran = Scenario::from_file("scenarios/orders.yaml")?.run(&program()).await?;
    ran.assert_passed();
    ran.assert_verdict("orders client->broker", "heartbeat");
    Ok(())
}

#[tokio::test]
async fn keepalive_finds_a_dead_peer_within_half_a_minute() -> Result<(), Error> {
    let scenario = Scenario::build("dead-peer", "A peer that dies in silence")
        .node("client", "")
        .node("server", "")
        .wire("cable", "ends: [client, server]")
        .service("server", "node: server, server: echo, port: 5672")
        .client(
            "orders",
            "node: client, connect: 'server:5672', protocol: tcp, keepalive: { idle: 10s, interval: 5s, probes: 3 }",
        )
        .step("idle: 1s")
        .step("cut: cable")
        .step("wait: { until: closed, at: client, at most: 2m }")
        .finish()?;
    let ran = scenario.run(&program()).await?;
    ran.assert_passed();
    ran.assert_verdict("orders client->server", "tcp-keepalive");
    let elapsed = ran.verdicts("orders client->server").filter_map(|verdict| verdict.elapsed_s).next();
    assert!(elapsed.is_some_and(|elapsed| elapsed < 30.0), "it took {elapsed:?} s");
    Ok(())
}
