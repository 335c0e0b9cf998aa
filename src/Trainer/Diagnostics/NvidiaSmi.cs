using System.Globalization;

namespace Opt.Trainer.Diagnostics;

/// <summary>Reads the answer of <c>nvidia-smi --query-gpu=... --format=csv,noheader,nounits</c>, one device a line (nvidia-smi --help-query-gpu). Pure.</summary>
internal static class NvidiaSmi
{
    /// <summary>What is asked, in order.</summary>
    public const string Fields = "index,uuid,name,ecc.errors.uncorrected.volatile.total,retired_pages.pending,remapped_rows.pending,remapped_rows.failure";

    private const int Columns = 7;

    /// <param name="text">The names of the fields, then one line for each device.</param>
    /// <exception cref="FormatException">A line is not what was asked for.</exception>
    public static IReadOnlyList<NvidiaDevice> Parse(string text) => [.. text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Skip(1).Select(Device)];

    private static NvidiaDevice Device(string line)
    {
        var cells = line.Split(',', StringSplitOptions.TrimEntries);
        if (cells.Length != Columns || !int.TryParse(cells[0], NumberStyles.None, CultureInfo.InvariantCulture, out var index))
        {
            throw new FormatException($"nvidia-smi said \"{line}\", which is not {Columns} fields that begin with an index");
        }

        return new(index, cells[1], cells[2], Number(cells[3]), Yes(cells[4]), Number(cells[5]) > 0 || Yes(cells[5]), Number(cells[6]) > 0 || Yes(cells[6])) { Lost = cells.Skip(1).Any(c => c.Contains("GPU is lost", StringComparison.OrdinalIgnoreCase)) };
    }

    /// <summary>Devices without the feature say [N/A] or [Not Supported]: nothing is held against them.</summary>
    private static long Number(string cell) => long.TryParse(cell, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;

    private static bool Yes(string cell) => cell.Equals("Yes", StringComparison.OrdinalIgnoreCase);
}

/// <summary>One device.</summary>
/// <param name="Uncorrected">Memory errors that ECC could not correct since the driver was loaded.</param>
/// <param name="PagesPending">Pages wait for a reset to be retired.</param>
/// <param name="RowsPending">Rows wait for a reset to be remapped.</param>
/// <param name="RowsFailed">A row could not be remapped: the device must be replaced.</param>
internal sealed record NvidiaDevice(int Index, string Uuid, string Name, long Uncorrected, bool PagesPending, bool RowsPending, bool RowsFailed)
{
    /// <summary>It does not answer on the bus.</summary>
    public bool Lost { get; init; }

    /// <summary>What speaks against it; null when nothing does.</summary>
    public string? Fault => this switch
    {
        { Lost: true } => "does not answer on the bus",
        { RowsFailed: true } => "a memory row could not be remapped",
        { Uncorrected: > 0 } => $"{Uncorrected} uncorrected memory errors",
        { RowsPending: true } => "memory rows wait for a reset to be remapped",
        { PagesPending: true } => "memory pages wait for a reset to be retired",
        _ => null,
    };
}
