using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;

namespace Opt.Kubernetes;

/// <summary>
/// Sends requests: rate limit, credentials, deadline, retries, errors. One per client. Every failure leaves as a
/// <see cref="KubernetesException"/>; only the caller's own token leaves as <see cref="OperationCanceledException"/>.
/// </summary>
internal sealed partial class ApiTransport(
    Uri host, HttpMessageInvoker http, ICredentialSource credentials, KubernetesClientOptions options, TimeProvider clock, ILogger logger, ClientMetrics metrics) : IDisposable
{
    private readonly TokenBucket _limit = new(options.QueriesPerSecond, options.Burst, clock);
    private readonly RetryBudget _budget = new(options.RetryBudget);

    public KubernetesClientOptions Options => options;

    public TimeProvider Clock => clock;

    public ClientMetrics Metrics => metrics;

    /// <summary>Sends and reads the whole answer.</summary>
    public async Task<ApiResponse> SendAsync(ApiRequest request, CancellationToken ct)
    {
        using var deadline = new CancellationTokenSource(options.RequestTimeout, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, deadline.Token);
        try
        {
            return await WithRetriesAsync(request, static async (response, token) =>
            {
                using (response) return new ApiResponse(await response.Content.ReadAsByteArrayAsync(token), WarningsOf(response));
            }, both.Token);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new KubernetesException(request.Doing, new TimeoutException($"deadline of {options.RequestTimeout.TotalSeconds} s passed", e));
        }
    }

    /// <summary>Sends and hands over the answer as soon as its headers are there. The deadlines cover only that far.</summary>
    public async Task<HttpResponseMessage> OpenAsync(ApiRequest request, CancellationToken ct) =>
        await WithRetriesAsync(request, static (response, _) => Task.FromResult(response), ct);

    /// <summary>The lines of a streamed answer. A broken or silent connection is an exception without an answer; a clean end just ends.</summary>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadLinesAsync(HttpResponseMessage response, string doing, [EnumeratorCancellation] CancellationToken ct)
    {
        await using var stream = await response.Content.ReadAsStreamAsync(ct);
        await using var lines = LineReader.ReadAsync(stream, options.WatchIdleTimeout, clock, ct).GetAsyncEnumerator(ct);
        while (true)
        {
            try
            {
                if (!await lines.MoveNextAsync()) yield break;
            }
            catch (Exception e) when (e is HttpRequestException or IOException or TimeoutException)
            {
                throw new KubernetesException(doing, e);
            }

            yield return lines.Current;
        }
    }

    public void Dispose()
    {
        http.Dispose();
        credentials.Dispose();
    }

    private async Task<TResult> WithRetriesAsync<TResult>(ApiRequest request, Func<HttpResponseMessage, CancellationToken, Task<TResult>> read, CancellationToken ct)
    {
        for (var attempt = 1; ; attempt++)
        {
            await _limit.WaitAsync(ct);
            var outcome = await MeasuredAsync(request, read, refreshCredential: false, ct);
            if (outcome is { Error.Code: 401 }) outcome = await MeasuredAsync(request, read, refreshCredential: true, ct);   // the token may have been rotated
            if (outcome.Error is null)
            {
                _budget.Earn();
                return outcome.Result!;
            }

            var failed = new FailedAttempt(outcome.Error.Code, outcome.Error.RetryAfter, outcome.NeverSent);
            if (RetryPolicy.Decide(failed, request.Repeat, attempt, options) is not { } wait || !_budget.TrySpend()) throw outcome.Error;
            metrics.Retried(request, failed.Code);
            Log.Retrying(logger, request.Doing, attempt, failed.Code, wait.TotalSeconds, outcome.Error.Message);
            await DelayOrGiveUpAsync(wait, outcome.Error, ct);
        }
    }

    /// <summary>A wait that the deadline would cut short ends at once with the reason, not with "deadline passed".</summary>
    private async Task DelayOrGiveUpAsync(TimeSpan wait, KubernetesException reason, CancellationToken ct)
    {
        if (wait >= options.RequestTimeout) throw reason;
        await Task.Delay(wait, clock, ct);
    }

    private readonly record struct Outcome<TResult>(TResult? Result, KubernetesException? Error, bool NeverSent = false, int Code = 0);

    private async Task<Outcome<TResult>> MeasuredAsync<TResult>(
        ApiRequest request, Func<HttpResponseMessage, CancellationToken, Task<TResult>> read, bool refreshCredential, CancellationToken ct)
    {
        metrics.Started();
        var started = clock.GetTimestamp();
        int? code = null;
        try
        {
            var outcome = await AttemptAsync(request, read, refreshCredential, ct);
            code = outcome.Error?.Code ?? outcome.Code;
            return outcome;
        }
        finally
        {
            metrics.Ended(request, code, clock.GetElapsedTime(started));
        }
    }

    private async Task<Outcome<TResult>> AttemptAsync<TResult>(
        ApiRequest request, Func<HttpResponseMessage, CancellationToken, Task<TResult>> read, bool refreshCredential, CancellationToken ct)
    {
        using var deadline = new CancellationTokenSource(options.AttemptTimeout, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, deadline.Token);
        try
        {
            using var message = request.ToMessage(host);
            message.Headers.UserAgent.ParseAdd(options.UserAgent);
            (await credentials.GetAsync(refreshCredential, both.Token)).ApplyTo(message);
            var response = await http.SendAsync(message, both.Token);
            if (response.IsSuccessStatusCode) return new(await read(response, both.Token), null, Code: (int)response.StatusCode);
            using (response) return new(default, await ErrorOfAsync(response, request, both.Token));
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            return new(default, new KubernetesException(request.Doing, new TimeoutException($"attempt took longer than {options.AttemptTimeout.TotalSeconds} s", e)));
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return new(default, new KubernetesException(request.Doing, e), NeverSent(e));
        }
        catch (KubeConfigException e)
        {
            return new(default, new KubernetesException(request.Doing, e), NeverSent: true);   // no credential to send
        }
    }

    private async Task<KubernetesException> ErrorOfAsync(HttpResponseMessage response, ApiRequest request, CancellationToken ct)
    {
        var body = await response.Content.ReadAsByteArrayAsync(ct);
        var code = (int)response.StatusCode;
        return KubernetesException.From(code, body, RetryAfterOf(response), request.Doing);
    }

    private TimeSpan? RetryAfterOf(HttpResponseMessage response) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } when date > clock.GetUtcNow() => date - clock.GetUtcNow(),
        { Date: not null } => TimeSpan.Zero,
        _ => null,
    };

    private static bool NeverSent(Exception e) => e is HttpRequestException
    {
        HttpRequestError: HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError or HttpRequestError.SecureConnectionError or HttpRequestError.ProxyTunnelError,
    };

    // Warning: 299 - "text"
    private static string[] WarningsOf(HttpResponseMessage response) => !response.Headers.TryGetValues("Warning", out var values)
        ? []
        : [.. values.Select(v => v.Split(' ', 3) is [_, _, var text] ? text.Trim('"') : v)];

    private static partial class Log   // 10xx: requests
    {
        [LoggerMessage(1001, LogLevel.Debug, "{Doing}: attempt {Attempt} failed with {Code}, trying again in {Seconds:F2} s: {Reason}")]
        public static partial void Retrying(ILogger logger, string doing, int attempt, int code, double seconds, string reason);
    }
}
