using System.Net;
using Opt.Trainer.Agent.Http;
using Opt.Trainer.Checkpoints;
using Xunit;

namespace Opt.Trainer.Tests.Agent;

/// <summary>Token and certificate of a job, and what happens when its Secret is replaced while the agent runs.</summary>
public sealed class AgentTlsTests
{
    private static readonly Uri Status = new("/v1/status", UriKind.Relative);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task With_TLS_an_agent_answers_who_pins_the_jobs_certificate_and_nobody_in_the_clear()
    {
        await using var agent = await AgentUnderTest.StartAsync(tls: true);
        using var peer = PeerOf(agent);

        using var answer = await peer.GetAsync(Status, Cancelled);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        await Assert.ThrowsAsync<HttpRequestException>(() => agent.Http.GetAsync(Status, Cancelled));
    }

    [Fact]
    public async Task A_peer_shows_its_token_to_no_other_certificate()
    {
        await using var agent = await AgentUnderTest.StartAsync(tls: true);
        await using var other = await AgentUnderTest.StartAsync(tls: true);
        using var stranger = PeerOf(agent, at: other.Port);

        await Assert.ThrowsAsync<HttpRequestException>(() => stranger.GetAsync(Status, Cancelled));
    }

    [Fact]
    public async Task A_certificate_that_was_replaced_is_shown_to_the_next_who_connects()
    {
        await using var agent = await AgentUnderTest.StartAsync(tls: true);
        using (var before = PeerOf(agent)) using (await before.GetAsync(Status, Cancelled)) { }

        agent.ShowNewCertificate();
        await agent.Clock.AdvanceAsync(TimeSpan.FromSeconds(11), () => Task.CompletedTask);

        using var after = PeerOf(agent);
        using var answer = await after.GetAsync(Status, Cancelled);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task A_token_that_was_replaced_is_refused_within_seconds_though_nobody_has_brought_the_new_one()
    {
        await using var agent = await AgentUnderTest.StartAsync();
        await File.WriteAllTextAsync(agent.TokenFile, "newer", Cancelled);
        await agent.Clock.AdvanceAsync(TimeSpan.FromSeconds(11), () => Task.CompletedTask);

        using var old = await agent.Http.GetAsync(Status, Cancelled);

        Assert.Equal(HttpStatusCode.Unauthorized, old.StatusCode);
        using var peer = PeerOf(agent);   // reads the file for each request
        using var answer = await peer.GetAsync(Status, Cancelled);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task Without_its_certificate_an_agent_that_is_told_to_speak_TLS_does_not_start()
    {
        await using var agent = await AgentUnderTest.StartAsync();

        var refused = Assert.Throws<FormatException>(() => new AgentToken(agent.TokenFile, tls: true, TimeProvider.System));

        Assert.Contains("OPT_AGENT_TLS", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(AgentUnderTest.Token, refused.Message, StringComparison.Ordinal);
    }

    private static HttpClient PeerOf(AgentUnderTest agent, int? at = null) =>
        new(new PeerCredential(agent.TokenFile, agent.Options.Tls)) { BaseAddress = new($"{(agent.Options.Tls ? "https" : "http")}://127.0.0.1:{at ?? agent.Port}"), Timeout = TimeSpan.FromMinutes(2) };
}
