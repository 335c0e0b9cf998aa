using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Kubernetes;
using Opt.Operator.Rendering;

namespace Opt.Operator.Logbooks;

/// <summary>
/// Keeps the whole logbook of a job beside it, in ConfigMaps that it owns, so that one list reads it without a pod or an operator. An entry comes here when the
/// status holds it, from which the next operator goes on; before that come only those for which the status has no room. Nothing of a job's training depends on these pages: what
/// fails here is logged and tried again later.
/// </summary>
internal sealed partial class LogbookKeeper(KubernetesClient client, TimeProvider clock, ILogger<LogbookKeeper> logger)
{
    /// <summary>Writes of one pass: the job itself must not wait for more.</summary>
    private const int MostWrites = 5;

    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(1), Later = TimeSpan.FromSeconds(15);
    private readonly ResourceClient<V1ConfigMap> _maps = client.Resource(Resources.ConfigMaps);

    /// <summary>Writes what waits, but for <paramref name="notYet"/>.</summary>
    /// <returns>When to come back without a change; null for never.</returns>
    public async Task<TimeSpan?> KeepAsync(OptTrainingJob job, BookMemory memory, IReadOnlyCollection<LogbookEntry> notYet, CancellationToken ct)
    {
        if (job.Spec.ManagementState is not ManagementState.Managed || memory.Due(notYet) is not { Count: > 0 } due) return null;
        if (memory.FailedAt is { } at && Later - clock.GetElapsedTime(at) is var rest && rest > TimeSpan.Zero) return rest;
        try
        {
            memory.FailedAt = null;
            return await WriteAsync(job, memory, due, ct);
        }
        catch (KubernetesException e) when (e.IsConflict || e.IsAlreadyExists)
        {
            // Another leader wrote, or a first attempt whose answer was lost did: the pages are read again.
            memory.Book = null;
            return Soon;
        }
        catch (Exception e) when (e is KubernetesException or TimeoutException)
        {
            (memory.Book, memory.FailedAt) = (null, clock.GetTimestamp());
            Log.Failed(logger, job.Metadata.Name, e.Message);
            return Later;
        }
    }

    private async Task<TimeSpan?> WriteAsync(OptTrainingJob job, BookMemory memory, IReadOnlyList<LogbookEntry> due, CancellationToken ct)
    {
        var book = memory.Book ??= await ReadAsync(job, ct);
        var lacking = book.Lacking(due);
        for (var writes = 0; lacking.Count > 0; writes++)
        {
            if (writes == MostWrites) return Soon;
            (var write, lacking) = book.Next(lacking, memory.Floor);
            memory.Book = book = book.With(write, write.Former is null ? await AddAsync(job, memory, write, ct) : await AppendAsync(job, write.Former, write.Text, ct));
        }

        memory.Written(due);
        foreach (var page in book.Excess)
        {
            await RemoveAsync(job, page, ct);
            memory.Book = memory.Book!.Without(page);
        }

        return null;
    }

    private async Task<Book> ReadAsync(OptTrainingJob job, CancellationToken ct)
    {
        var maps = await _maps.ListAsync(job.Metadata.Namespace, new() { LabelSelector = $"{Names.JobLabel}={job.Metadata.Name},{LogbookPages.Label}" }, ct);
        return Book.Read(maps.Items.Where(m => m.Metadata.ControllerOwner()?.Uid == job.Metadata.Uid));
    }

    private async Task<V1ConfigMap> AddAsync(OptTrainingJob job, BookMemory memory, PageWrite write, CancellationToken ct)
    {
        try
        {
            return await _maps.CreateAsync(OwnedObjects.LogbookPage(job, write.Number, write.Text).Deserialize(KubernetesJson.Default.V1ConfigMap)!, ct);
        }
        catch (KubernetesException e) when (e.IsAlreadyExists)
        {
            // It may be a stranger's, or left of an earlier job of this name: the next attempt takes the next number, if it is not ours.
            memory.Floor = write.Number + 1;
            throw;
        }
    }

    private Task<V1ConfigMap> AppendAsync(OptTrainingJob job, BookPage page, string text, CancellationToken ct)
    {
        // The version makes the write fail if anybody else wrote, and a second attempt, too, whose first one got through.
        var patch = new JsonObject
        {
            ["metadata"] = new JsonObject { ["uid"] = page.Uid, ["resourceVersion"] = page.Version },
            ["data"] = new JsonObject { [LogbookPages.Key] = text },
        };
        return _maps.PatchAsync(new(job.Metadata.Namespace, page.Name), Patch.Merge(patch), ct);
    }

    private async Task RemoveAsync(OptTrainingJob job, BookPage page, CancellationToken ct)
    {
        try
        {
            await _maps.DeleteAsync(new(job.Metadata.Namespace, page.Name), new() { Preconditions = new() { Uid = page.Uid } }, ct);
            Log.Removed(logger, page.Name);
        }
        catch (KubernetesException e) when (e.IsNotFound || e.IsConflict)
        {
            // gone, or another one by now
        }
    }

    private static partial class Log   // 25xx: pages of the logbook
    {
        [LoggerMessage(2501, LogLevel.Warning, "{Job}: the logbook's ConfigMaps are not up to date: {Error}")]
        public static partial void Failed(ILogger logger, string job, string error);

        [LoggerMessage(2502, LogLevel.Information, "{Page}, the oldest page of a logbook, is deleted; the checkpoint store has its entries")]
        public static partial void Removed(ILogger logger, string page);
    }
}
