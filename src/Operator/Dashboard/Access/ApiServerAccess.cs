using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Opt.Api.V1Alpha1;
using Opt.Kubernetes;

namespace Opt.Operator.Dashboard.Access;

/// <summary>
/// Asks the API server with the visitor's own token: a SelfSubjectAccessReview authenticates and authorizes in one request, by whatever the
/// cluster uses for both, and needs no permission of the operator's. Answers are kept for a short time, by the token's digest.
/// </summary>
internal sealed class ApiServerAccess(KubernetesClientConfiguration operatorConfiguration, TimeProvider clock) : IAccess, IDisposable
{
    private const int MostKept = 4096, LongestToken = 16 << 10;
    private static readonly TimeSpan Kept = TimeSpan.FromSeconds(30), RefusalKept = TimeSpan.FromSeconds(3);
    private readonly ConcurrentDictionary<string, (Verdict Verdict, DateTimeOffset Until)> _answers = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _asking = new(8);

    public async Task<Verdict> MayAsync(string? token, string verb, string? @namespace, CancellationToken ct)
    {
        if (string.IsNullOrEmpty(token) || token.Length > LongestToken || token.Any(c => c is < '!' or > '~')) return Verdict.Unauthenticated;
        var key = $"{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)))}|{verb}|{@namespace}";
        var now = clock.GetUtcNow();
        if (_answers.TryGetValue(key, out var known) && known.Until > now) return known.Verdict;
        await _asking.WaitAsync(ct);   // a flood of made-up tokens must not become a flood of reviews
        try
        {
            var verdict = await AskAsync(token, verb, @namespace, ct);
            if (_answers.Count >= MostKept) _answers.Clear();
            if (verdict != Verdict.Unavailable) _answers[key] = (verdict, now + (verdict == Verdict.Allowed ? Kept : RefusalKept));
            return verdict;
        }
        finally
        {
            _asking.Release();
        }
    }

    public void Dispose() => _asking.Dispose();

    private async Task<Verdict> AskAsync(string token, string verb, string? @namespace, CancellationToken ct)
    {
        // Nothing of the operator's own identity may go along.
        var visitor = operatorConfiguration with { AccessToken = token, TokenFile = null, ClientCertificate = null, Username = null, Password = null, Exec = null };
        using var client = new KubernetesClient(visitor, new() { UserAgent = "opt-operator-dashboard/0.1", RequestTimeout = TimeSpan.FromSeconds(10), MaxAttempts = 2 }, clock);
        var review = new V1SelfSubjectAccessReview { Spec = new() { ResourceAttributes = new() { Group = OptTrainingJob.Group, Resource = OptTrainingJob.Plural, Verb = verb, Namespace = @namespace } } };
        try
        {
            return (await client.Resource(Resources.SelfSubjectAccessReviews).CreateAsync(review, ct)).Status?.Allowed == true ? Verdict.Allowed : Verdict.Forbidden;
        }
        catch (KubernetesException e)
        {
            return e.Code switch { 401 => Verdict.Unauthenticated, 403 => Verdict.Forbidden, _ => Verdict.Unavailable };
        }
    }
}
