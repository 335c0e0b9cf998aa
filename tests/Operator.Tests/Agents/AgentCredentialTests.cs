using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Http;
using Opt.Operator.Agents;
using Opt.Operator.Jobs;
using Opt.Operator.Rendering;
using Xunit;

namespace Opt.Operator.Tests.Agents;

/// <summary>What the operator and the agents of a job know each other by, and how it is replaced.</summary>
public sealed class AgentCredentialTests
{
    private static readonly AgentSecret Old = AgentSecret.Create("opt", DateTimeOffset.UnixEpoch), New = AgentSecret.Create("opt", DateTimeOffset.UnixEpoch);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public void A_secret_that_was_replaced_is_taken_and_the_former_one_kept_for_agents_that_lag()
    {
        var held = new AgentCredential(Old, null, ReadAt: 0);
        var same = held.Read(Old, 1);
        var replaced = same.Read(New, 2);

        Assert.Equal((Old, null, 1L), (same.Secret, same.Former, same.ReadAt));
        Assert.Equal((New, Old), (replaced.Secret, replaced.Former));
    }

    [Fact]
    public void A_secret_that_is_gone_is_missing_but_agents_are_asked_on_with_what_they_still_hold()
    {
        var gone = new AgentCredential(Old, null, ReadAt: 0).Read(null, 1);

        Assert.Equal((Old, false), (gone.Secret, gone.IsThere));
        Assert.Equal((New, Old, true), (gone.Read(New, 2).Secret, gone.Read(New, 2).Former, gone.Read(New, 2).IsThere));
    }

    [Fact]
    public void No_text_form_shows_a_token()
    {
        var target = new AgentTarget("opt-0", "uid", "10.0.0.1", 9440, Old.Token) { FormerToken = New.Token };
        foreach (var text in new[] { $"{Old}", $"{new AgentCredential(Old, New, 0)}", $"{target}" })
        {
            Assert.DoesNotContain(Old.Token, text, StringComparison.Ordinal);
            Assert.DoesNotContain(New.Token, text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task An_agent_that_has_not_got_the_new_token_yet_is_asked_with_the_former_one()
    {
        await using var agent = await TestAgent.StartAsync();
        using var client = AgentClient.Create(TimeProvider.System);

        var status = await client.GetStatusAsync(agent.Target with { Token = "newer", FormerToken = agent.Target.Token }, Cancelled);

        Assert.Equal(agent.Status.Instance, status.Instance);
        var plan = Plans.Make(epoch: 2, agent.Target);
        await client.PutPlanAsync(agent.Target with { Token = "newer", FormerToken = agent.Target.Token }, plan, Cancelled);
        Assert.Equal(plan.Id, agent.Plan!.Id);   // the body goes along again
    }

    [Fact]
    public async Task Over_TLS_only_the_jobs_own_certificate_is_taken_and_no_token_is_shown_to_another()
    {
        using var certificate = Load(Old);
        await using var agent = await TestAgent.StartAsync(certificate);
        using var client = AgentClient.Create(TimeProvider.System);

        Assert.StartsWith("https://", agent.Target.Url("/").ToString(), StringComparison.Ordinal);
        Assert.Equal(agent.Status.Instance, (await client.GetStatusAsync(agent.Target, Cancelled)).Instance);
        Assert.Equal(agent.Status.Instance, (await client.GetStatusAsync(agent.Target with { Pin = New.Pin, FormerPin = Old.Pin }, Cancelled)).Instance);

        agent.Requests.Clear();
        var refused = await Assert.ThrowsAsync<AgentException>(() => client.GetStatusAsync(agent.Target with { Pin = New.Pin }, Cancelled));
        Assert.Null(refused.Status);
        await Assert.ThrowsAsync<AgentException>(() => client.GetStatusAsync(agent.Target with { Pin = null }, Cancelled));
        Assert.Empty(agent.Requests);
    }

    [Fact]
    public async Task An_agent_that_takes_no_token_of_ours_is_told_from_one_that_is_silent()
    {
        await using var agent = await TestAgent.StartAsync();
        using var client = AgentClient.Create(TimeProvider.System);
        var refused = await Assert.ThrowsAsync<AgentException>(() => client.GetStatusAsync(agent.Target with { Token = "newer", FormerToken = "new" }, Cancelled));

        Assert.Equal(HttpStatusCode.Unauthorized, refused.Status);
        Assert.Equal(2, agent.Requests.Count);
    }

    private static X509Certificate2 Load(AgentSecret secret) => X509Certificate2.CreateFromPem(Encoding.UTF8.GetString(secret.Data[Names.CertificateKey]), Encoding.UTF8.GetString(secret.Data[Names.CertificateKeyKey]));
}
