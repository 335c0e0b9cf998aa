using System.Net;

namespace Opt.Scenarios.World;

/// <summary>
/// The line between one operator process and the API server: it can be cut, lose requests and answers, and stands still while the process is stopped.
/// Every write that gets through is audited.
/// </summary>
internal sealed class OperatorLink(ClusterLink cluster, ProcessClock clock, WriteAudit audit, Random random) : HttpMessageHandler
{
    private readonly HttpMessageInvoker _cluster = new(cluster, disposeHandler: false);
    private readonly Lock _gate = new();
    private CancellationTokenSource _line = new();

    public bool IsCut { get; private set; }

    /// <summary>Share of requests that fail in one way or another.</summary>
    public double Loss { get; set; }

    public void Cut()
    {
        CancellationTokenSource line;
        lock (_gate) (IsCut, line) = (true, _line);
        line.Cancel();
    }

    public void Mend()
    {
        lock (_gate) (IsCut, _line) = (false, new());
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        await clock.RunningAsync().WaitAsync(cancellationToken);
        var fate = Fate(request);
        var line = Line();
        if (fate is Fates.NeverSent || line.IsCancellationRequested) throw new HttpRequestException("the network is cut");
        if (fate is Fates.Busy) return new(HttpStatusCode.ServiceUnavailable) { RequestMessage = request, Content = new StringContent("busy") };
        await audit.CheckAsync(request, cancellationToken);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, line);
        HttpResponseMessage response;
        try
        {
            response = await _cluster.SendAsync(request, both.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new HttpRequestException("the connection broke");
        }

        await clock.RunningAsync().WaitAsync(cancellationToken);
        if (fate is Fates.AnswerLost)
        {
            response.Dispose();
            throw new HttpRequestException("the connection broke before the answer came");
        }

        return await ThroughAsync(response, line, cancellationToken);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _cluster.Dispose();
        base.Dispose(disposing);
    }

    private CancellationToken Line()
    {
        lock (_gate) return _line.Token;
    }

    private Fates Fate(HttpRequestMessage request)
    {
        lock (_gate)
        {
            if (IsCut) return Fates.NeverSent;
            // Leases are left alone here: losing them is what cutting and stopping are for.
            if (random.NextDouble() >= Loss || request.RequestUri!.AbsolutePath.Contains("/leases", StringComparison.Ordinal)) return Fates.Delivered;
            return random.Next(3) switch { 0 => Fates.NeverSent, 1 => Fates.Busy, _ => Fates.AnswerLost };
        }
    }

    private async Task<HttpResponseMessage> ThroughAsync(HttpResponseMessage response, CancellationToken line, CancellationToken ct)
    {
        var headers = response.Content.Headers;
        var content = new StreamContent(new LineStream(await response.Content.ReadAsStreamAsync(ct), clock, line));
        foreach (var (name, values) in headers) content.Headers.TryAddWithoutValidation(name, values);
        response.Content = content;
        return response;
    }

    private enum Fates { Delivered, NeverSent, Busy, AnswerLost }
}
